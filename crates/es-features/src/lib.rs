//! Features of entities over time, computed by Elasticsearch aggregations.
//!
//! A [`FeatureSet`] names the entities (a composite of fields), a [`Grid`] of times,
//! [`Window`]s and [`Feature`]s. A [`FeatureStream`] computes it: one row an entity and grid
//! time, one column a feature and window.
//!
//! - The row at `t` knows what was known at `t`: a window of length `w` covers the documents
//!   of `[t - w, t)`, and nothing from `t` on.
//! - An entity without a document in the longest window that ends at `t` has no row at `t`.
//! - Windows are elapsed time: `7d` is 168 hours, also where clocks change. Steps of days
//!   and weeks follow the calendar of the grid's time zone.
//! - Every grid time is computed by itself, from the documents alone: any part of the grid
//!   can be computed again, alone, and comes out the same.
//!
//! Each grid time is one search: a composite aggregation over the entity, in it a filter a
//! window, in these the metrics, each asked for once. Only ratios and differences are
//! computed here. All searches of a stream see one state of the source, through a point in
//! time.
//!
//! [`PointInTimeJoin`] joins the rows to others, each with what was known at its time.
//!
//! The crate writes nothing: [`FeatureSet::mapping`] says which mapping an index of rows
//! has and [`FeatureSet::id_fields`] what a row's id is made of; indexing is `es-bulk`'s.
//!
//! ```no_run
//! use std::num::NonZeroU32;
//!
//! use es_features::{Feature, FeatureSet, FeatureStream, Grid, Settings, Step, Values, Window};
//! use futures::TryStreamExt as _;
//! use jiff::tz::TimeZone;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_features::Error> {
//! let set = FeatureSet {
//!     entity: vec!["origin".into(), "carrier".into()],
//!     time: "time_hour".into(),
//!     grid: Grid::new(Step::Days(NonZeroU32::MIN), TimeZone::UTC),
//!     windows: vec![Window::days(7), Window::days(28)],
//!     query: None,
//!     features: vec![
//!         ("flights".into(), Feature::Count),
//!         ("delay_mean".into(), Feature::Avg(Values::Field("dep_delay".into()))),
//!         ("delay_change".into(), Feature::Derivative { of: "delay_mean".into() }),
//!     ],
//! };
//! let mut frames = FeatureStream::open(&client, "flights-departures", &set, Settings::default()).await?;
//! while let Some(frame) = frames.try_next().await? {
//!     println!("{frame}"); // origin, carrier, time_hour, flights_7d, flights_28d, delay_mean_7d, ...
//! }
//! println!("{:?}", frames.summary());
//! # Ok(())
//! # }
//! ```

mod definition;
mod error;
mod frame;
mod grid;
mod join;
mod key;
mod output;
mod plan;
#[cfg(test)]
mod reference;
mod request;
mod response;
mod script;
mod source;
mod stream;

pub use definition::{Cardinality, Feature, FeatureSet, Percentiles, RatioTerm, Script, Values, Window};
pub use error::{DefinitionError, Error, ErrorKind, FieldProblem};
pub use grid::{Grid, Step};
pub use join::{JoinOptions, PointInTimeJoin};
pub use output::Output;
pub use stream::{FeatureStream, FeatureSummary, Settings};
