//! Kinds of assets, as far as reading, checking and planning need to know them. How an asset of a
//! kind is observed and built is left to whoever runs the plan.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fingerprint::Parts;
use crate::key_path::KeyPath;
use crate::partition::Partitions;
use crate::plan::Inputs;
use crate::validate::{Report, Siblings};

/// A kind of asset: the name that stands behind `kind:`, the schema of its keys, and how they are
/// read.
///
/// ```
/// use es_assets::{Definition, Kind, Output, Parts, PipelineFormat, Reference};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// /// A table that is kept up to date with another asset.
/// #[derive(Debug, Deserialize, JsonSchema)]
/// struct Copy {
///     /// The asset to copy.
///     from: String,
/// }
///
/// impl Definition for Copy {
///     fn reads(&self) -> Vec<Reference> {
///         vec![Reference::documents("from", &self.from)]
///     }
///
///     fn output(&self) -> Output {
///         Output::Documents
///     }
///
///     fn fingerprint(&self, parts: &mut Parts) {
///         parts.add("from", &self.from);
///     }
/// }
///
/// let format = PipelineFormat::new([Kind::of::<Copy>("copy")]);
/// let text = "version: 1\nname: p\nassets: { a: { kind: copy, from: b }, b: { kind: copy, from: a } }\n";
/// let error = format.parse("pipeline.yaml", text, None).unwrap_err();
/// assert!(error.to_string().contains("assets need one another: a -> b -> a"));
/// ```
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
    read: fn(Value) -> Result<Arc<dyn Definition>, InvalidDefinition>,
}

/// Keys of an asset that do not make up a definition of its kind.
#[derive(Clone, Debug)]
pub struct InvalidDefinition {
    /// The place of the value that is wrong, from the asset on.
    pub path: KeyPath,
    /// The problem: lower case, no full stop.
    pub message: String,
}

impl Kind {
    /// The kind called `name`, whose assets are defined by the keys of `D`.
    #[must_use]
    pub fn of<D: Definition + DeserializeOwned + JsonSchema>(name: &'static str) -> Self {
        Self { name, schema: D::json_schema, read: read::<D> }
    }

    /// The name that users write after `kind:`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    pub(crate) fn read(&self, keys: Value) -> Result<Arc<dyn Definition>, InvalidDefinition> {
        (self.read)(keys)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

fn read<D: Definition + DeserializeOwned>(keys: Value) -> Result<Arc<dyn Definition>, InvalidDefinition> {
    match serde_path_to_error::deserialize::<_, D>(keys) {
        Ok(definition) => Ok(Arc::new(definition)),
        Err(error) => {
            let path = KeyPath::from_serde(error.path());
            Err(InvalidDefinition { path, message: error.into_inner().to_string() })
        }
    }
}

/// The definition of one asset, as its kind reads it.
pub trait Definition: Any + fmt::Debug + Send + Sync {
    /// The assets that this one is made of, each where it is named. The common key `deps` comes
    /// on top.
    fn reads(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// The output that other assets can take from this one.
    fn output(&self) -> Output;

    /// Returns whether the asset is evaluated instead of built: it gives a verdict about what others
    /// wrote, and its own work changes nothing that can be read.
    fn is_evaluated(&self) -> bool {
        self.output() == Output::Verdict
    }

    /// The folder or file that the asset writes, and the place where it is named, if it writes one.
    fn writes(&self) -> Option<(KeyPath, &str)> {
        None
    }

    /// The division of the asset by time, if there is one.
    fn partitions(&self) -> Option<&Partitions> {
        None
    }

    /// The column that holds a row's time, by which partitions divide the asset.
    fn time(&self) -> Option<&str> {
        None
    }

    /// Reports what the schema does not express: keys that must agree with one another or with
    /// another asset. `path` is the place of the asset in the file.
    fn validate(&self, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
        let _ = (path, siblings, report);
    }

    /// Adds the parts of the definition that affect its results, each with what a change of it
    /// asks for.
    fn fingerprint(&self, parts: &mut Parts);

    /// The versions of inputs that follow from the present moment alone, such as that of a window
    /// that ends now.
    fn inputs_at(&self, now: Timestamp) -> Inputs {
        let _ = now;
        Inputs::new()
    }
}

impl dyn Definition {
    /// The definition as that of a kind; `None` if it is another kind's.
    #[must_use]
    pub fn downcast_ref<D: Definition>(&self) -> Option<&D> {
        (self as &dyn Any).downcast_ref()
    }
}

/// The output of an asset that others can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The documents of an index.
    Documents,
    /// Files.
    Files,
    /// Nothing but that it was evaluated: to depend on it is to come after it.
    Verdict,
}

/// The name of another asset in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The place of the name, from the asset on.
    pub path: KeyPath,
    /// The other asset.
    pub asset: String,
    /// The output that is taken from it.
    pub takes: Takes,
}

/// The output that one asset takes from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Its documents.
    Documents,
    /// Its documents of the same partition, where both assets are divided alike by the same column; all of
    /// them otherwise.
    DocumentsOfPartition,
    /// Its rows, whether documents or files.
    Rows,
    /// Nothing that can be read: it only has to be up to date before.
    Order,
}

impl Takes {
    /// Returns whether an asset with this output has what is taken.
    #[must_use]
    pub fn is_given_by(self, output: Output) -> bool {
        match self {
            Self::Documents | Self::DocumentsOfPartition => output == Output::Documents,
            Self::Rows => output != Output::Verdict,
            Self::Order => true,
        }
    }
}

impl Reference {
    /// A reference under the key `key` to an asset whose documents are read.
    #[must_use]
    pub fn documents(key: &str, asset: &str) -> Self {
        Self { path: KeyPath::root().key(key), asset: asset.to_owned(), takes: Takes::Documents }
    }
}
