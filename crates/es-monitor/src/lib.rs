//! Distributions and drift of fields in Elasticsearch.
//!
//! A [`Monitor`] compares fields of an index between a reference and a current window. Elasticsearch
//! counts them (no document leaves the server), and a [`Report`] has for each field the value of a
//! method, the interval of the exact value where bins leave that open, the threshold, the sizes of
//! the samples, the missing values and a [`Verdict`]. A field that cannot be measured has a reason,
//! and never a number.
//!
//! # Comparing two windows
//!
//! ```no_run
//! use es_core::{Client, ClusterConfig};
//! use es_monitor::{CurrentWindow, FieldMonitor, Monitor, ReferenceWindow, Until, evaluate};
//! use jiff::Timestamp;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let june = ReferenceWindow { from: "2013-06-01".parse()?, to: "2013-07-01".parse()? };
//! let last_month = CurrentWindow::Last { last: "30d".parse()?, until: Until::Latest };
//! let monitor = Monitor::new("time_hour", june, last_month)
//!     .with_field("carrier", FieldMonitor::psi(0.2))
//!     .with_field("dep_delay", FieldMonitor::kolmogorov_smirnov(0.01));
//! let report = evaluate(&client, "flights", &monitor, Timestamp::now()).await?;
//! println!("{report}");
//! report.fields.iter().for_each(|field| println!("{field}"));
//! # Ok(())
//! # }
//! ```
//!
//! # Comparing counts and samples from elsewhere
//!
//! The methods stand on their own: [`psi`], [`jensen_shannon`], [`l_infinity`], [`chi_squared`],
//! [`kolmogorov_smirnov`], [`wasserstein`], and [`missing_values`] beside each of them.
//! [`distribution`] has the counts that they compare; a plain histogram is
//! [`Numeric::of_counts`](distribution::Numeric::of_counts).
//!
//! ```
//! use es_monitor::distribution::Numeric;
//! use es_monitor::{kolmogorov_smirnov as ks, psi};
//!
//! let edges = [0.0, 15.0, 30.0, 60.0];
//! let (june, july) = ([700, 200, 100], [600, 250, 150]);
//! let index = psi::index(&june, &july).unwrap();
//! let (june, july) = (Numeric::of_counts(&edges, &june)?, Numeric::of_counts(&edges, &july)?);
//! let statistic = ks::bounds(&june, &july).unwrap();
//! let p_value = ks::p_value(statistic.low, june.values(), july.values());
//! assert!((index - 0.0468).abs() < 1e-4);
//! assert!((statistic.low - 0.1).abs() < 1e-12 && p_value < 1e-4);
//! # Ok::<(), es_monitor::Error>(())
//! ```
//!
//! # Reading a monitor from a file
//!
//! The types are the options of a pipeline file, with `serde` and a JSON Schema.
//! [`Monitor::problems`] lists the rules that the schema does not express, each with its place.
//!
//! ```
//! use es_monitor::Monitor;
//!
//! let monitor: Monitor = serde_json::from_str(r#"{
//!     "time": "time_hour",
//!     "reference": {"from": "2013-06-01", "to": "2013-05-01"},
//!     "current": {"last": "30d", "until": "latest"},
//!     "timezone": "America/New_York",
//!     "fields": {"dep_delay": {"method": "wasserstein", "max": 0.1, "bins": 50}}
//! }"#)?;
//! let problem = &monitor.problems()[0];
//! assert_eq!(problem.to_string(), "reference.to: `to` 2013-05-01 is not after `from` 2013-06-01");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Progress and cancellation
//!
//! ```no_run
//! use es_monitor::{Evaluation, Monitor};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(client: es_core::Client, monitor: Monitor) -> Result<(), es_monitor::Error> {
//! let token = CancellationToken::new();
//! let report = Evaluation::new(&client, "flights", &monitor)
//!     .with_min_values(100)
//!     .with_cancellation(token.clone())
//!     .with_observer(|progress| eprintln!("{} of {} fields", progress.fields_done, progress.fields))
//!     .run()
//!     .await?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # The counting of fields
//!
//! Numbers are put into bins with about as many values of the reference in each; a number that is
//! very frequent gets a bin of its own. Edges come from the server's estimate of the quantiles, but
//! every count is exact, in both windows, with the mean, the smallest and the largest value of each
//! bin. Where bins leave the verdict of a Kolmogorov-Smirnov test or a Wasserstein distance open,
//! those that do are cut into finer ones and counted again, up to three times.
//!
//! Keywords, booleans and addresses are counted by value: the most frequent values of the
//! reference, and all others together.
//!
//! A p-value is that of one field by itself. A monitor of many fields at a level of 0.01 finds one
//! in a hundred drifting by chance.

pub mod chi_squared;
pub mod distribution;
pub mod jensen_shannon;
pub mod kolmogorov_smirnov;
pub mod l_infinity;
pub mod missing_values;
pub mod psi;
pub mod report;
pub mod wasserstein;

mod answer;
mod decision;
mod error;
mod evaluation;
mod field;
mod interval;
mod method;
mod options;
mod request;
mod verdict;

pub use error::{Error, ErrorKind};
pub use es_values::{PathSegment, Problem, ProblemKind};
pub use evaluation::{DEFAULT_MIN_VALUES, Evaluation, EvaluationProgress, evaluate};
pub use interval::Interval;
pub use method::Method;
pub use options::{
    CurrentWindow, FieldMonitor, MAX_BINS, MissingRule, MissingTest, Monitor, ReferenceWindow, Severity, Until,
};
pub use report::{FieldReport, Report};
pub use verdict::{Reason, Verdict, WindowName};
