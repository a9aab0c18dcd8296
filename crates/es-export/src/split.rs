//! Which part a row belongs to: a matter of its key and the seed alone, so that a row never
//! changes its part when the index grows.

use es_frame::DocumentWriter;
use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray as _};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, ErrorKind};

/// A split by the hash of key columns.
///
/// The key's text (see [`es_frame::DocumentWriter::write_id`]) is hashed with XXH3-64 and the
/// seed; the hash, as a share of 2⁶⁴, falls into one of the parts, which are laid end to end
/// in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    key: Vec<String>,
    seed: u64,
    parts: Vec<(String, f64)>,
    /// The upper bounds of the parts, exclusive but for the last.
    bounds: Vec<u64>,
}

impl Split {
    /// A split of the given shares, which add up to 1.
    ///
    /// # Errors
    /// [`ErrorKind::Split`] when there is no key or no part, the shares do not add up, or a
    /// part's name is taken or cannot be the name of a folder.
    pub fn by_hash(key: Vec<String>, seed: u64, parts: Vec<(String, f64)>) -> Result<Self, Error> {
        let total: f64 = parts.iter().map(|(_, share)| share).sum();
        let shares_fit = parts.iter().all(|(_, share)| *share > 0.0) && (total - 1.0).abs() < 1e-9;
        if key.is_empty() || parts.is_empty() || !shares_fit {
            return Err(Error::new(
                ErrorKind::Split,
                format!("a split needs a key and shares that add up to 1, not {total}"),
            ));
        }
        for (place, (name, _)) in parts.iter().enumerate() {
            if parts[..place].iter().any(|(other, _)| other == name) {
                return Err(Error::new(ErrorKind::Split, format!("two parts of a split are called {name}")));
            }
            if name.is_empty() || name.starts_with(['.', '_']) || name.contains(['/', '\\', '\0']) {
                return Err(Error::new(ErrorKind::Split, format!("a part of a split cannot be called {name:?}"))
                    .with_help("each part is a folder: choose a name like train"));
            }
        }
        let mut sum = 0.0;
        let mut bounds: Vec<u64> = parts
            .iter()
            .map(|(_, share)| {
                sum += share;
                // 2⁶⁴ as a float; the conversion saturates.
                (sum * 18_446_744_073_709_551_616.0) as u64
            })
            .collect();
        if let Some(last) = bounds.last_mut() {
            *last = u64::MAX;
        }
        Ok(Self { key, seed, parts, bounds })
    }

    /// The key columns.
    pub fn key(&self) -> &[String] {
        &self.key
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The parts and their shares, in order.
    pub fn parts(&self) -> &[(String, f64)] {
        &self.parts
    }

    /// The part of a key's text, as a place in [`Split::parts`].
    pub fn part_of(&self, key: &[u8]) -> usize {
        let hash = xxh3_64_with_seed(key, self.seed);
        let part = self.bounds.partition_point(|bound| *bound <= hash);
        part.min(self.bounds.len() - 1)
    }

    /// The rows of each part, in the order of the parts. Every row is in exactly one.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when the frame lacks a key column, [`ErrorKind::Split`] when a
    /// key is null.
    pub fn apply(&self, frame: &DataFrame) -> Result<Vec<DataFrame>, Error> {
        let writer = DocumentWriter::new(frame, &self.key)?;
        let mut key = Vec::new();
        let mut parts = Vec::with_capacity(frame.height());
        for row in 0..frame.height() {
            key.clear();
            writer.write_id(row, &mut key).map_err(|source| {
                Error::new(ErrorKind::Split, format!("a row cannot be put in a part: {source}"))
                    .with_help("choose key columns that are never null")
            })?;
            parts.push(self.part_of(&key));
        }
        (0..self.parts.len())
            .map(|part| {
                let mask = BooleanChunked::from_iter_values("part".into(), parts.iter().map(|of_row| *of_row == part));
                Ok(frame.filter(&mask)?)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    fn split(seed: u64) -> Split {
        let parts = [("train", 0.8), ("validation", 0.1), ("test", 0.1)].map(|(name, share)| (name.to_owned(), share));
        Split::by_hash(vec!["k".into()], seed, parts.to_vec()).unwrap()
    }

    #[test]
    fn shares_come_out_and_the_seed_matters() {
        let keys: Vec<i64> = (0..100_000).collect();
        let frame = df!("k" => &keys).unwrap();
        let rows: Vec<usize> = split(7).apply(&frame).unwrap().iter().map(DataFrame::height).collect();
        assert_eq!(rows.iter().sum::<usize>(), 100_000);
        for (rows, share) in rows.iter().zip([0.8, 0.1, 0.1]) {
            // Six standard deviations of a binomial count.
            let spread = 6.0 * (100_000.0_f64 * share * (1.0 - share)).sqrt();
            assert!((*rows as f64 - 100_000.0 * share).abs() < spread, "{rows} of {share}");
        }
        let other: Vec<usize> = split(8).apply(&frame).unwrap().iter().map(DataFrame::height).collect();
        assert_ne!(rows, other);
    }

    #[test]
    fn the_assignment_is_pinned() {
        // Changing the hash would move rows between the parts of existing training sets. The
        // expected parts come from the Python package xxhash: xxh3_64_intdigest(key, seed=7).
        let parts: Vec<usize> = (0..24).map(|n| split(7).part_of(format!("\"{n}\"").as_bytes())).collect();
        assert_eq!(parts, [1, 0, 1, 2, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn shares_must_add_up_and_keys_must_be_there() {
        let part = |share| vec![("a".to_owned(), share)];
        for (key, parts) in [(vec![], part(1.0)), (vec!["k".to_owned()], part(0.9)), (vec!["k".to_owned()], vec![])] {
            assert_eq!(Split::by_hash(key, 0, parts).unwrap_err().kind(), ErrorKind::Split);
        }
        let named = |names: [&str; 2]| names.map(|name| (name.to_owned(), 0.5)).to_vec();
        for names in [["a", "a"], ["a", ""], ["a", ".."], ["a", "b/c"], ["/a", "b"], ["_manifest.json", "b"]] {
            let error = Split::by_hash(vec!["k".to_owned()], 0, named(names)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Split, "{names:?}");
        }
        let frame = df!("k" => [Some(1), None]).unwrap();
        assert_eq!(split(0).apply(&frame).unwrap_err().kind(), ErrorKind::Split);
        let frame = df!("other" => [1]).unwrap();
        assert_eq!(split(0).apply(&frame).unwrap_err().kind(), ErrorKind::Column);
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_complete_and_do_not_depend_on_the_rest(
            keys in prop::collection::btree_set(0..10_000_i64, 1..200), keep in 1..200_usize,
        ) {
            let keys: Vec<i64> = keys.into_iter().collect();
            let whole = split(7).apply(&df!("k" => &keys).unwrap()).unwrap();
            let found: usize = whole.iter().map(DataFrame::height).sum();
            prop_assert_eq!(found, keys.len());
            let some: Vec<i64> = keys.iter().copied().take(keep).collect();
            let parts = split(7).apply(&df!("k" => &some).unwrap()).unwrap();
            for (part, of_whole) in parts.iter().zip(&whole) {
                let values = |frame: &DataFrame| -> Vec<i64> {
                    frame.column("k").unwrap().i64().unwrap().into_no_null_iter().collect()
                };
                let expected: Vec<i64> = values(of_whole).into_iter().filter(|key| some.contains(key)).collect();
                prop_assert_eq!(values(part), expected);
            }
        }
    }
}
