//! From the vectors of tokens to the vector of a text. Pure. The same as the modules `Pooling` and `Normalize`
//! of sentence-transformers compute.

use super::encoder::Pooling;

/// Adds the vector of one text to `out`. `tokens` has the vectors of its tokens, one after the other, without
/// those that fill the batch up.
pub(super) fn pool(pooling: Pooling, tokens: &[f32], dims: usize, out: &mut Vec<f32>) {
    let start = out.len();
    out.extend_from_slice(&tokens[..dims]);
    let pooled = &mut out[start..];
    let further = tokens.chunks_exact(dims).skip(1);
    match pooling {
        Pooling::Cls | Pooling::None => {}
        Pooling::Mean => {
            let mut count = 1.0_f32;
            for token in further {
                pooled.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                count += 1.0;
            }
            pooled.iter_mut().for_each(|sum| *sum /= count);
        }
        Pooling::Max => {
            for token in further {
                // NaN stays, so that it is found.
                let greater = |most: f32, value: f32| if value > most || value.is_nan() { value } else { most };
                pooled.iter_mut().zip(token).for_each(|(most, value)| *most = greater(*most, *value));
            }
        }
    }
}

/// The reason that a vector cannot be used, if it cannot.
pub(super) fn fault(vector: &[f32]) -> Option<String> {
    let place = vector.iter().position(|value| !value.is_finite())?;
    Some(format!("component {place} of its vector is {}, expected a finite number", vector[place]))
}

/// Divides a vector by its length. A vector of zeros has none.
pub(super) fn normalize(vector: &mut [f32]) -> Result<(), String> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length == 0.0 {
        return Err("its vector has the length zero, and cannot be normalized".to_owned());
    }
    vector.iter_mut().for_each(|value| *value = narrow(f64::from(*value) / length));
    Ok(())
}

/// A number of single precision.
#[expect(clippy::cast_possible_truncation, reason = "the vector has single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(pooling: Pooling, tokens: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        pool(pooling, tokens, 2, &mut out);
        out
    }

    #[test]
    fn each_pooling_reads_the_tokens_in_its_way() {
        let tokens = [1.0, -2.0, 3.0, 6.0, -1.0, 2.0];
        assert_eq!(pooled(Pooling::Mean, &tokens), [1.0, 2.0]);
        assert_eq!(pooled(Pooling::Cls, &tokens), [1.0, -2.0]);
        assert_eq!(pooled(Pooling::Max, &tokens), [3.0, 6.0]);
        assert_eq!(pooled(Pooling::None, &tokens[..2]), [1.0, -2.0]);
    }

    #[test]
    fn a_vector_that_is_not_finite_is_found_whatever_the_pooling() {
        for tokens in [[1.0, f32::NAN, 3.0, 4.0], [1.0, 2.0, 3.0, f32::NAN]] {
            for pooling in [Pooling::Mean, Pooling::Max] {
                let reason = fault(&pooled(pooling, &tokens));
                assert_eq!(reason.unwrap(), "component 1 of its vector is NaN, expected a finite number");
            }
        }
        assert_eq!(fault(&[1.0, f32::MAX]), None);
    }

    #[test]
    fn a_vector_is_divided_by_its_length_if_it_has_one() {
        let mut vector = [3.0, -4.0];
        normalize(&mut vector).unwrap();
        assert_eq!(vector, [0.6, -0.8]);
        // The square of a component is larger than single precision holds.
        let mut large = [3.0, 4.0].map(|value: f32| value * 2_f32.powi(100));
        normalize(&mut large).unwrap();
        assert_eq!(large, [0.6, 0.8]);
        assert!(normalize(&mut [0.0, 0.0]).unwrap_err().contains("the length zero"));
    }
}
