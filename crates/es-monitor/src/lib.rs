//! Distributions and drift of fields in Elasticsearch.
//!
//! A [`Monitor`] compares fields of an index between a reference and a current window.
//! [`evaluate`] has Elasticsearch count them (no document leaves the server) and returns a
//! [`Report`]: for each field the value of a method, where the exact value can be if bins
//! leave that open, its threshold, the sizes of the samples, the missing values and a
//! [`Verdict`]. What cannot be measured says why, and never becomes a number.
//!
//! The methods stand on their own, over counts or samples from anywhere: [`psi`],
//! [`jensen_shannon`], [`l_infinity`], [`chi_squared`], [`kolmogorov_smirnov`],
//! [`wasserstein`], and [`missing_values`] beside each of them. [`distribution`] has what
//! they compare.
//!
//! # How fields are counted
//! Numbers are put into bins with about as many values of the reference in each; a number
//! that is very frequent gets a bin of its own. Edges come from the server's estimate of
//! the quantiles, but every count is exact, in both windows, with the mean, the smallest
//! and the largest value of each bin. Where bins leave the verdict of a Kolmogorov-Smirnov
//! test or a Wasserstein distance open, those that do are cut into finer ones and counted
//! again, up to three times.
//!
//! Keywords, booleans and addresses are counted by value: the most frequent values of the
//! reference, and all others together.
//!
//! p-values are of one field by itself. A monitor of many fields at a level of 0.01 finds
//! one in a hundred drifting by chance.
//!
//! ```no_run
//! use es_core::{Client, ClusterConfig};
//! use es_monitor::{FieldMonitor, Method, Monitor, Window, evaluate};
//! use jiff::Timestamp;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let june = Window::Between { from: "2013-06-01T00:00:00Z".parse()?, to: "2013-07-01T00:00:00Z".parse()? };
//! let july = Window::Between { from: "2013-07-01T00:00:00Z".parse()?, to: "2013-08-01T00:00:00Z".parse()? };
//! let monitor = Monitor::new("flights-departures", "time_hour", june, july)
//!     .field("dep_delay", FieldMonitor::new(Method::Wasserstein { max: 0.1 }))
//!     .field("carrier", FieldMonitor::new(Method::JensenShannon { max: 0.1 }));
//! let report = evaluate(&client, &monitor, Timestamp::now()).await?;
//! println!("{report}");
//! for field in &report.fields {
//!     println!("{field}");
//! }
//! # Ok(())
//! # }
//! ```

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
mod error;
mod evaluation;
mod field;
mod judgement;
mod monitor;
mod request;
mod verdict;
mod window;

pub use error::{Error, ErrorKind};
pub use evaluation::evaluate;
pub use monitor::{DEFAULT_MIN_VALUES, FieldMonitor, MAX_BINS, Method, MissingRule, Monitor, Severity};
pub use report::{FieldReport, Report};
pub use verdict::{Reason, Verdict, WindowName};
pub use window::{Interval, Until, Window};
