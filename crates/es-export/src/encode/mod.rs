//! Columns as numbers: codes, one-hot columns and standardised values, fitted on the training
//! rows alone.
//!
//! An [`EncoderPlan`] says what is to be done with each column, a [`Fitter`] observes the
//! training rows, and the [`Encoders`] that it ends in are applied to all rows, now and where
//! a model is served: they are data, and the manifest of an export holds them as JSON.
//!
//! # Nulls and unseen values
//!
//! | encoding | becomes | null | unseen value |
//! |---|---|---|---|
//! | none | what it was | null | |
//! | [`Numeric`](Encoding::Numeric) | `f64` (`f32` stays) | null, NaN in tensors | |
//! | [`Codes`](Encoding::Codes) | `i32`, the place in the vocabulary | -1 | -1 |
//! | [`OneHot`](Encoding::OneHot) | one `u8` column a value, `COLUMN=VALUE` | all zeros | all zeros |
//! | [`Standard`](Encoding::Standard) | `f64` (`f32` stays), (value - mean) / std | null, NaN in tensors | |
//!
//! # The JSON
//!
//! ```json
//! {
//!   "version": 1,
//!   "rows": 1000,
//!   "columns": [
//!     {"column": "carrier", "encoding": "codes", "vocabulary": ["AA", "B6"], "nulls": 3},
//!     {"column": "origin", "encoding": "one_hot", "vocabulary": ["EWR", "JFK"], "nulls": 0},
//!     {"column": "dep_delay", "encoding": "standard", "mean": 12.5, "std": 40.25, "count": 990, "nulls": 10},
//!     {"column": "distance", "encoding": "numeric"},
//!     {"column": "time_hour", "encoding": "none"}
//!   ]
//! }
//! ```
//!
//! `rows` are the training rows, and `count` and `nulls` add up to it. A vocabulary holds
//! texts in the order of their bytes, or integers in theirs; booleans are 0 and 1. `std` is the
//! population's standard deviation (divided by n, as scikit-learn's `StandardScaler` does);
//! where it is 0, values are only centred. NaN and infinities count as nulls, and stay what
//! they are.

mod encoders;
mod fit;
mod moments;
mod plan;

pub use encoders::{ColumnEncoder, EncodedFrom, Encoder, Encoders, Vocabulary};
pub use fit::Fitter;
pub use plan::{EncoderPlan, Encoding};
