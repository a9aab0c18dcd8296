//! The registry of models: versions, aliases that point to them, and the history of their moves.
//!
//! Everything stands in one hidden index, `{prefix}orchestrator-models`, which is created by the first
//! write: a document for each version, each alias and each move. Files of models are left to
//! [`ModelFolder`], training and scoring to others.
//!
//! # Register and promote
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_serving::Signature;
//! use es_serving::registry::{ModelFolder, Move, NewVersion, Registry, Terms};
//!
//! let folder = ModelFolder::new("models");
//! let registry = Registry::new(client, "ml-");
//!
//! let file = folder.put("model.onnx".as_ref()).await?;
//! let signature = Signature::default(); // the columns and tensors of the model
//! let version = NewVersion::onnx("late", &file, signature).by("ana").with_metric("auc", "test", 0.91);
//! let registered = registry.register(version).await?;
//!
//! let by = Move::by("ana").why("first model");
//! registry.promote("late", "champion", registered.version().number, &by, &Terms::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Resolve
//!
//! ```no_run
//! # async fn example(registry: es_serving::registry::Registry) -> Result<(), Box<dyn std::error::Error>> {
//! let version = registry.version(&"models:/late@champion".parse()?).await?;
//! println!("version {} takes {} columns", version.number, version.signature.columns.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - Numbers of versions are 1, 2, 3 and so on, without gaps, however many register at once. The same
//!   file, signature and encoders are one version.
//! - Of two moves of an alias at once one wins, and the error of the other says who moved it where.
//! - A history is a chain without gaps, and ends where the alias points, also after a kill at any
//!   moment.
//! - No alias points to a retired version.

mod alias;
mod checksum;
mod diff;
mod folder;
pub mod mlflow;
mod moving;
mod names;
mod reading;
mod registering;
mod retiring;
mod rule;
mod store;
mod version;

use es_core::Client;

pub use alias::{AliasMove, Move, MoveKind};
pub use checksum::Checksum;
pub use diff::{Change, Difference, MetricChange, ModelFile};
pub use folder::{ModelFolder, StoredFile};
pub use moving::{Expected, Promoted, Terms};
pub use reading::ModelSummary;
pub use rule::{Direction, PromotionRule, Role, RuleVerdict};
use store::Store;
pub use version::{Location, Metrics, ModelFormat, NewVersion, Registered, Retirement, TrainingSet, Version};

/// The registry under a prefix.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// The registry under a prefix. Nothing is written until the first version is registered.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { store: Store::new(client, format!("{prefix}orchestrator-models")) }
    }

    /// The name of its index.
    pub fn index(&self) -> &str {
        &self.store.index
    }
}
