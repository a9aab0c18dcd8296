//! The statistics of the training rows.

use std::collections::BTreeSet;

use polars::prelude::{Column, DataFrame, DataType, PlSmallStr};

use super::encoders::{ColumnEncoder, Encoder, Encoders, Vocabulary};
use super::moments::Moments;
use super::plan::{EncoderPlan, Encoding, PlannedColumn};
use crate::error::{Error, ErrorKind};

/// Observes training rows, in batches of any size and order. Two fitters of one plan can be
/// put together.
#[derive(Clone, Debug)]
pub struct Fitter {
    plan: EncoderPlan,
    learned: Vec<Learned>,
    rows: u64,
}

#[derive(Clone, Debug)]
struct Learned {
    moments: Moments,
    texts: BTreeSet<PlSmallStr>,
    integers: BTreeSet<i64>,
    nulls: u64,
}

impl Fitter {
    pub(super) fn new(plan: EncoderPlan) -> Self {
        let none =
            || Learned { moments: Moments::default(), texts: BTreeSet::new(), integers: BTreeSet::new(), nulls: 0 };
        let learned = plan.columns.iter().map(|_| none()).collect();
        Self { plan, learned, rows: 0 }
    }

    /// Observes rows of the training part.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when the frame lacks a column, and [`ErrorKind::Value`] when a
    /// column has more values than a vocabulary may have.
    pub fn observe(&mut self, frame: &DataFrame) -> Result<(), Error> {
        for (planned, learned) in self.plan.columns.iter().zip(&mut self.learned) {
            let Some(encoding) = planned.encoding else { continue };
            let column = named(frame, &planned.name)?;
            match encoding {
                Encoding::Numeric => {}
                Encoding::Standard => observe_numbers(column, learned)?,
                Encoding::Codes | Encoding::OneHot => observe_values(column, learned)?,
            }
            check_size(&self.plan, planned, learned)?;
        }
        self.rows += frame.height() as u64;
        Ok(())
    }

    /// Adds what another fitter of the same plan observed.
    ///
    /// # Errors
    /// As [`Fitter::observe`].
    pub fn merge(&mut self, other: Self) -> Result<(), Error> {
        for ((planned, learned), other) in self.plan.columns.iter().zip(&mut self.learned).zip(other.learned) {
            learned.moments = learned.moments.and(other.moments);
            learned.texts.extend(other.texts);
            learned.integers.extend(other.integers);
            learned.nulls += other.nulls;
            check_size(&self.plan, planned, learned)?;
        }
        self.rows += other.rows;
        Ok(())
    }

    /// The encoders. Without any training row they can be written down, and encode no rows.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] names a column that had no value in any of the training rows.
    pub fn finish(self) -> Result<Encoders, Error> {
        let rows = self.rows;
        let fitted = self.plan.columns.into_iter().zip(self.learned).map(|(planned, learned)| {
            let nothing = learned.texts.is_empty() && learned.integers.is_empty() && learned.moments.count == 0;
            let vocabulary = match planned.dtype {
                DataType::String => Vocabulary::Texts(learned.texts.iter().map(ToString::to_string).collect()),
                _ => Vocabulary::Integers(learned.integers.into_iter().collect()),
            };
            let encoder = match planned.encoding {
                None => Encoder::None,
                Some(Encoding::Numeric) => Encoder::Numeric,
                Some(_) if nothing && rows > 0 => return Err(nothing_to_learn(&planned.name, rows)),
                Some(Encoding::Codes) => Encoder::Codes { vocabulary, nulls: learned.nulls },
                Some(Encoding::OneHot) => Encoder::OneHot { vocabulary, nulls: learned.nulls },
                Some(Encoding::Standard) => Encoder::Standard {
                    mean: learned.moments.mean,
                    std: learned.moments.std(),
                    count: learned.moments.count,
                    nulls: learned.nulls,
                },
            };
            Ok(ColumnEncoder { column: planned.name, encoder })
        });
        Ok(Encoders { version: 1, rows, columns: fitted.collect::<Result<_, _>>()? })
    }
}

pub(super) fn named<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column, Error> {
    frame.column(name).map_err(|_| Error::new(ErrorKind::Column, format!("the rows have no column {name} to encode")))
}

pub(super) fn nothing_to_learn(column: &str, rows: u64) -> Error {
    Error::new(ErrorKind::Value, format!("column {column} has no value in any of {rows} training rows to learn from"))
        .with_help("leave it out, or leave its encoding out")
}

fn observe_numbers(column: &Column, learned: &mut Learned) -> Result<(), Error> {
    let floats = column.strict_cast(&DataType::Float64)?;
    let values: Vec<f64> = floats.f64()?.iter().flatten().filter(|value| value.is_finite()).collect();
    learned.nulls += (column.len() - values.len()) as u64;
    learned.moments = learned.moments.and(Moments::of(&values));
    Ok(())
}

fn observe_values(column: &Column, learned: &mut Learned) -> Result<(), Error> {
    learned.nulls += column.null_count() as u64;
    if let DataType::String = column.dtype() {
        for text in column.str()?.iter().flatten() {
            if !learned.texts.contains(text) {
                learned.texts.insert(text.into());
            }
        }
        return Ok(());
    }
    learned.integers.extend(integers(column)?.i64()?.iter().flatten());
    Ok(())
}

/// The column as signed integers, which vocabularies hold.
pub(super) fn integers(column: &Column) -> Result<Column, Error> {
    column.strict_cast(&DataType::Int64).map_err(|source| {
        let message =
            format!("column {} holds an integer above {}, which no vocabulary holds", column.name(), i64::MAX);
        Error::new(ErrorKind::Value, message).with_source(source)
    })
}

fn check_size(plan: &EncoderPlan, planned: &PlannedColumn, learned: &Learned) -> Result<(), Error> {
    let limit = match planned.encoding {
        Some(Encoding::OneHot) => plan.most_one_hot.min(plan.most_values),
        _ => plan.most_values,
    };
    if learned.texts.len().max(learned.integers.len()) <= limit {
        return Ok(());
    }
    let name = &planned.name;
    let help = match planned.encoding {
        Some(Encoding::OneHot) => "encode it as codes instead".to_owned(),
        _ => format!("is {name} an id? leave it out"),
    };
    Err(Error::new(ErrorKind::Value, format!("column {name} has more than {limit} different values to encode"))
        .with_help(help))
}
