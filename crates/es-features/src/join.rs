//! The join of feature rows to other rows as of a time, without anything that was known later.
//!
//! Reading both is left to the caller, as is choosing feature rows that fit in memory.

use std::collections::HashMap;
use std::time::Duration;

use es_frame::{DocumentWriter, instants};
use polars::prelude::{
    BooleanChunked, ChunkFull as _, Column, DataFrame, DataType, IdxCa, IdxSize, NewChunkedArray as _, PlSmallStr,
    Schema,
};

use crate::error::Error;
use crate::options::FeatureSet;

/// The columns and limits of a [`PointInTimeJoin`].
///
/// [`JoinOptions::from`] a [`FeatureSet`] has the entity and the time of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinOptions {
    /// The columns that name the entity, in both frames.
    pub entity: Vec<String>,
    /// The column of the grid time in the feature rows.
    pub feature_time: String,
    /// The column of the time in the rows that are joined to.
    pub row_time: String,
    /// The largest age of a feature row at the time of the row that it is joined to; by default,
    /// any age.
    pub max_age: Option<Duration>,
    /// The prefix of the names of the joined columns, such as `route_delays__`; by default, none.
    pub prefix: String,
}

impl JoinOptions {
    /// A join by an entity and a time that have the same columns in both frames.
    pub fn new<E: Into<String>>(entity: impl IntoIterator<Item = E>, time: impl Into<String>) -> Self {
        let time = time.into();
        Self {
            entity: entity.into_iter().map(Into::into).collect(),
            feature_time: time.clone(),
            row_time: time,
            max_age: None,
            prefix: String::new(),
        }
    }

    /// Sets the column of the time in the rows that are joined to.
    #[must_use]
    pub fn with_row_time(mut self, column: impl Into<String>) -> Self {
        self.row_time = column.into();
        self
    }

    /// Sets the largest age of a feature row.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets the prefix of the names of the joined columns.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl From<&FeatureSet> for JoinOptions {
    fn from(set: &FeatureSet) -> Self {
        Self::new(set.entity.clone(), set.time.clone())
    }
}

/// Feature rows, arranged by entity and time.
///
/// A row at time `t` gets the latest feature row of its entity with a grid time of at most `t`, if
/// that is no older than [`JoinOptions::max_age`]; otherwise its feature columns are null. As the
/// feature row at `g` is computed from documents before `g` alone, nothing that happens at `t` or
/// later gets into the row.
///
/// ```
/// use es_features::{JoinOptions, PointInTimeJoin};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let features = df!("carrier" => ["UA", "UA"], "day" => [10, 20], "delay" => [1.0, 2.0])?;
/// let options = JoinOptions::new(["carrier"], "day").with_row_time("at").with_prefix("routes__");
/// let join = PointInTimeJoin::new(features, options)?;
/// let rows = df!("carrier" => ["UA", "UA", "B6"], "at" => [20, 19, 30])?;
/// let joined = join.join(&rows)?;
/// assert_eq!(joined.column("routes__delay")?.f64()?.to_vec(), [Some(2.0), Some(1.0), None]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PointInTimeJoin {
    options: JoinOptions,
    /// The types of the entity's columns.
    entity: Vec<DataType>,
    /// The feature columns under their new names.
    features: DataFrame,
    /// The grid times of each entity, by its text, with their row numbers, in the order of time.
    rows: HashMap<Box<[u8]>, Vec<(i64, IdxSize)>>,
}

impl PointInTimeJoin {
    /// Arranges feature rows. Rows without an entity or a time are left out; of two rows of one
    /// entity and time the last one counts.
    ///
    /// # Errors
    /// [`ErrorKind::Join`](crate::ErrorKind::Join) when a column is missing, or that of the time
    /// does not hold times.
    pub fn new(features: DataFrame, options: JoinOptions) -> Result<Self, Error> {
        let times = times(&features, &options.feature_time)?;
        let keys = Keys::new(&features, &options.entity)?;
        let mut rows: HashMap<Box<[u8]>, Vec<(i64, IdxSize)>> = HashMap::new();
        let mut key = Vec::new();
        for (row, time) in times.into_iter().enumerate() {
            let Some(time) = time.filter(|_| keys.write(row, &mut key)) else { continue };
            let place = IdxSize::try_from(row).map_err(|_| Error::join("there are too many feature rows to join"))?;
            match rows.get_mut(key.as_slice()) {
                Some(known) => known.push((time, place)),
                None => drop(rows.insert(key.as_slice().into(), vec![(time, place)])),
            }
        }
        for known in rows.values_mut() {
            known.sort_unstable();
        }
        let entity = keys.types();
        let joined: Vec<_> = features
            .columns()
            .iter()
            .filter(|column| {
                let name = column.name().as_str();
                name != options.feature_time && !options.entity.iter().any(|entity| entity == name)
            })
            .map(|column| {
                let mut column = column.clone();
                column.rename(PlSmallStr::from_string(format!("{}{}", options.prefix, column.name())));
                column
            })
            .collect();
        let features = DataFrame::new(features.height(), joined)?;
        Ok(Self { options, entity, features, rows })
    }

    /// The columns that a join adds.
    pub fn schema(&self) -> Schema {
        (**self.features.schema()).clone()
    }

    /// The columns that the join reads of the rows it is joined to.
    pub fn row_columns(&self) -> impl Iterator<Item = &str> {
        self.options.entity.iter().chain([&self.options.row_time]).map(String::as_str)
    }

    /// The rows with the feature columns after their own, in their own order.
    ///
    /// # Errors
    /// [`ErrorKind::Join`](crate::ErrorKind::Join) when a column is missing, is of another type
    /// than in the feature rows, or has the name of a joined one.
    pub fn join(&self, rows: &DataFrame) -> Result<DataFrame, Error> {
        let times = times(rows, &self.options.row_time)?;
        let keys = Keys::new(rows, &self.options.entity)?;
        for ((name, here), there) in self.options.entity.iter().zip(keys.types()).zip(&self.entity) {
            if here != *there {
                return Err(Error::join(format!(
                    "column `{name}` has type {here} in the rows and {there} in the features, expected the same type"
                )));
            }
        }
        let oldest = self.options.max_age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let mut key = Vec::new();
        let found: Vec<Option<IdxSize>> = times
            .into_iter()
            .enumerate()
            .map(|(row, time)| {
                let time = time.filter(|_| keys.write(row, &mut key))?;
                let known = self.rows.get(key.as_slice())?;
                let (at, place) = *known[..known.partition_point(|(at, _)| *at <= time)].last()?;
                oldest.is_none_or(|oldest| time.saturating_sub(at) <= oldest).then_some(place)
            })
            .collect();
        let places = IdxCa::from_slice_options("place".into(), &found);
        Ok(rows.hstack(self.features.take(&places)?.columns())?)
    }
}

fn times(frame: &DataFrame, column: &str) -> Result<Vec<Option<i64>>, Error> {
    instants(named(frame, column)?).map_err(|error| Error::join(error.to_string()))
}

fn named<'a>(frame: &'a DataFrame, column: &str) -> Result<&'a Column, Error> {
    frame.column(column).map_err(|_| Error::join(format!("there is no column `{column}` to join on")))
}

/// The entities of the rows of a frame, as texts.
struct Keys<'a> {
    writer: DocumentWriter<'a>,
    columns: Vec<DataType>,
    /// True for a row that has all columns of its entity.
    whole: BooleanChunked,
}

impl<'a> Keys<'a> {
    fn new(frame: &'a DataFrame, entity: &[String]) -> Result<Self, Error> {
        let mut whole = BooleanChunked::full("whole".into(), true, frame.height());
        let mut columns = Vec::new();
        for name in entity {
            let column = named(frame, name)?;
            whole = whole & column.is_not_null();
            columns.push(column.dtype().clone());
        }
        let writer = DocumentWriter::new(frame, entity).map_err(|error| Error::join(error.to_string()))?;
        Ok(Self { writer, columns, whole })
    }

    fn types(&self) -> Vec<DataType> {
        self.columns.clone()
    }

    /// Writes the entity of a row, and returns false where it has none.
    fn write(&self, row: usize, key: &mut Vec<u8>) -> bool {
        key.clear();
        self.whole.get(row) == Some(true) && self.writer.write_id(row, key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DataFrame, JoinOptions, PointInTimeJoin};
    use polars::prelude::df;
    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

    fn options(max_age: Option<u64>) -> JoinOptions {
        let max_age = max_age.map(Duration::from_millis);
        JoinOptions { max_age, ..JoinOptions::new(["e", "f"], "at").with_row_time("time").with_prefix("p__") }
    }

    #[test]
    fn features_that_are_too_old_or_not_known_yet_are_null() {
        let features = df!("e" => ["a", "a", "b"], "f" => [1, 1, 1], "at" => [10, 20, 10], "x" => [1, 2, 3]).unwrap();
        let join = PointInTimeJoin::new(features, options(Some(5))).unwrap();
        let rows = df!(
            "e" => [Some("a"), Some("a"), Some("a"), Some("a"), Some("b"), Some("c"), None],
            "f" => [1, 1, 1, 1, 2, 1, 1],
            "time" => [Some(9), Some(15), Some(16), Some(20), Some(10), Some(10), Some(10)]
        )
        .unwrap();
        let joined = join.join(&rows).unwrap();
        let found = joined.column("p__x").unwrap().i32().unwrap().to_vec();
        assert_eq!(found, [None, Some(1), None, Some(2), None, None, None]);
        assert_eq!(joined.get_column_names(), ["e", "f", "time", "p__x"]);
        assert_eq!(join.row_columns().collect::<Vec<_>>(), ["e", "f", "time"]);
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let features = df!("e" => ["a"], "f" => [1], "at" => [10], "x" => [1]).unwrap();
        let join = PointInTimeJoin::new(features, options(None)).unwrap();
        let other = df!("e" => ["a"], "f" => ["1"], "time" => [10]).unwrap();
        let error = join.join(&other).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column `f` has type str in the rows and i32 in the features, expected the same type"
        );
        let without = df!("e" => ["a"], "time" => [10]).unwrap();
        assert!(join.join(&without).unwrap_err().to_string().contains('f'));
    }

    fn frame(times: &'static str) -> impl Strategy<Value = DataFrame> {
        let row = (prop::option::of("[ab|\\\\]{1,2}"), 0..2_i64, prop::option::of(0..30_i64), any::<i32>());
        prop::collection::vec(row, 0..40).prop_map(move |rows| {
            df!(
                "e" => rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>(),
                "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                times => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
                "x" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
            )
            .unwrap()
        })
    }

    proptest! {
        #[test]
        fn each_row_gets_what_a_search_of_all_feature_rows_finds(
            features in frame("at"), rows in frame("time"), max_age in prop::option::of(0..10_u64),
        ) {
            let cells = |frame: &DataFrame, time: &str| -> Vec<(Option<String>, i64, Option<i64>, i32)> {
                let (e, f) = (frame.column("e").unwrap().str().unwrap(), frame.column("f").unwrap().i64().unwrap());
                let (t, x) = (frame.column(time).unwrap().i64().unwrap(), frame.column("x").unwrap().i32().unwrap());
                (0..frame.height())
                    .map(|row| (e.get(row).map(str::to_owned), f.get(row).unwrap(), t.get(row), x.get(row).unwrap()))
                    .collect()
            };
            let known = cells(&features, "at");
            let expected: Vec<Option<i32>> = cells(&rows, "time").iter().map(|(e, f, time, _)| {
                let (e, time) = (e.as_ref()?, (*time)?);
                let mut best: Option<(i64, i32)> = None;
                for (of, also, at, x) in &known {
                    let Some(at) = at.filter(|at| of.as_ref() == Some(e) && also == f && *at <= time) else { continue };
                    if best.is_none_or(|(before, _)| before <= at) {
                        best = Some((at, *x));
                    }
                }
                best.filter(|(at, _)| max_age.is_none_or(|age| time - at <= age as i64)).map(|(_, x)| x)
            }).collect();
            let join = PointInTimeJoin::new(features, options(max_age)).unwrap();
            let joined = join.join(&rows.select(["e", "f", "time"]).unwrap()).unwrap();
            prop_assert_eq!(joined.column("p__x").unwrap().i32().unwrap().to_vec(), expected);
        }
    }
}
