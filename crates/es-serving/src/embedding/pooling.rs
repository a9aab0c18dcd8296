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
