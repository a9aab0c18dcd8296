//! Features of entities over time, computed by Elasticsearch aggregations.
//!
//! A [`FeatureSet`] names the entities (a composite of fields), a grid of times, windows and
//! [`Feature`]s. A [`FeatureStream`] computes it: one row for each entity and grid time, one column
//! for each feature and window. [`PointInTimeJoin`] joins the rows to others.
//!
//! - The row at `t` holds what was known at `t`: a window of length `w` covers the documents of
//!   `[t - w, t)`, and nothing from `t` on.
//! - An entity without a document in the longest window that ends at `t` has no row at `t`.
//! - Windows are elapsed time: `7d` is 168 hours, also where clocks change. Steps of days and weeks
//!   follow the calendar of the set's time zone.
//! - Every grid time is computed by itself, from the documents alone: any part of the grid can be
//!   computed again, alone, with the same result.
//!
//! Each grid time is one search: a composite aggregation over the entity, in it a filter for each
//! window, in these the metrics, each requested once. Only ratios and differences are computed
//! here. All searches of a stream see one state of the source, through a point in time.
//!
//! # Computing features and joining them as of a time
//!
//! ```no_run
//! use es_core::{Client, ClusterConfig};
//! use es_features::{Feature, FeatureSet, FeatureStream, JoinOptions, PointInTimeJoin};
//! use polars::prelude::*;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let set = FeatureSet::new(["carrier"], "time_hour", "1d".parse()?)
//!     .with_window("7d".parse()?)
//!     .with_feature("flights", Feature::count())
//!     .with_feature("delay", Feature::percentiles("dep_delay", [50.0, 90.0]));
//! let features = FeatureStream::open(&client, "flights", &set).await?.collect().await?;
//! let join = PointInTimeJoin::new(features, JoinOptions::from(&set).with_prefix("carriers__"))?;
//! let rows = df!("carrier" => ["UA"], "time_hour" => ["2013-03-01T06:00:00Z"])?;
//! println!("{}", join.join(&rows)?); // carrier, time_hour, carriers__flights_7d, carriers__delay_p50_7d, ...
//! # Ok(())
//! # }
//! ```
//!
//! # Reading a set from a file
//!
//! The types are the options of a pipeline file, with `serde` and a JSON Schema.
//! [`FeatureSet::problems`] lists the rules that the schema does not express, each with its place.
//!
//! ```
//! use es_features::FeatureSet;
//!
//! let set: FeatureSet = serde_json::from_str(r#"{
//!     "entity": ["origin", "carrier"],
//!     "time": "time_hour",
//!     "every": "1d",
//!     "windows": ["7d", "28d"],
//!     "timezone": "America/New_York",
//!     "features": {
//!         "delay_mean": {"avg": {"field": "dep_delay"}},
//!         "delay_change": {"derivative": {"of": "delay_maen"}}
//!     }
//! }"#)?;
//! let problem = &set.problems()[0];
//! assert_eq!(problem.to_string(), "features.delay_change.derivative.of: unknown feature `delay_maen`");
//! assert_eq!(problem.help, "did you mean `delay_mean`?");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Streaming frames, with progress and cancellation
//!
//! ```no_run
//! use es_features::{ComputeOptions, FeatureSet, FeatureStream};
//! use futures::TryStreamExt as _;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(client: es_core::Client, set: FeatureSet) -> Result<(), es_features::Error> {
//! let token = CancellationToken::new();
//! let mut frames = FeatureStream::builder(&client, "flights", &set)
//!     .with_options(ComputeOptions::default().with_page_size(10_000))
//!     .with_cancellation(token.clone())
//!     .with_observer(|progress| eprintln!("{} of {}", progress.grid_instants_read, progress.grid_instants))
//!     .open()
//!     .await?;
//! while let Some(frame) = frames.try_next().await? {
//!     println!("{frame}");
//! }
//! println!("{:?}", frames.summary());
//! # Ok(())
//! # }
//! ```
//!
//! # Writing the rows to an index
//!
//! The crate writes nothing. [`FeatureSet::mapping`] is the mapping of an index of rows, and
//! [`FeatureSet::id_fields`] are the fields that a row's id is made of; indexing is left to
//! `es-bulk`.
//!
//! ```
//! use es_features::{Feature, FeatureSet};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let source = serde_json::from_value(json!({"properties": {
//!     "carrier": {"type": "keyword"}, "time_hour": {"type": "date"},
//! }}))?;
//! let set = FeatureSet::new(["carrier"], "time_hour", "1d".parse()?)
//!     .with_window("7d".parse()?)
//!     .with_feature("flights", Feature::count());
//! let mapping = set.mapping(&source)?;
//! assert_eq!(mapping.field("flights_7d").unwrap().field_type(), "long");
//! assert_eq!(set.id_fields(), ["carrier", "time_hour"]);
//! # Ok(())
//! # }
//! ```

mod error;
mod frame;
mod grid;
mod join;
mod key;
mod options;
mod plan;
#[cfg(test)]
mod reference;
mod request;
mod response;
mod script;
mod source;
mod stream;

pub use error::{Error, ErrorKind, ScriptError};
pub use es_values::{PathSegment, Problem, ProblemKind};
pub use join::{JoinOptions, PointInTimeJoin};
pub use options::{
    Cardinality, Derivative, Feature, FeatureField, FeatureSet, FieldName, Metric, NoOptions, Percentiles, Ratio,
    RatioTerm, ValueSource,
};
pub use stream::{ComputeOptions, FeatureProgress, FeatureStream, FeatureStreamBuilder, FeatureSummary};
