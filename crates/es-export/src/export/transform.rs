//! Changes to rows between reading and writing.

use std::fmt;

use polars::prelude::{DataFrame, DataType};
use serde_json::Value;

/// A column that a [`Transform`] adds.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DataType,
    /// The type in Elasticsearch of the field that it comes from; empty where there is none.
    pub elasticsearch: String,
}

/// Adds columns to rows between reading and writing, such as what was known of an entity at the
/// time of the row. Rows are neither added, nor removed, nor put in another order.
pub trait Transform: fmt::Debug + Send + Sync {
    /// The columns that it needs. They are read, and written only if they are asked for.
    fn needs(&self) -> Vec<String>;

    /// The columns that it adds, in their order.
    fn adds(&self) -> Vec<AddedColumn>;

    /// The rows with the added columns after their own.
    ///
    /// # Errors
    /// When the rows are not of the columns that it needs.
    fn apply(&self, rows: &DataFrame) -> Result<DataFrame, Box<dyn std::error::Error + Send + Sync>>;

    /// A description for the manifest. A killed export is resumed only if it is the same.
    fn describe(&self) -> Value;
}
