//! The operations of a bulk request, as `es-frame` has them, for a build without frames.

/// The operation of a bulk request on a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Writes the document, in place of one with the same id.
    #[default]
    Index,
    /// Writes the document if there is none with the same id.
    Create,
    /// Changes fields of the document with this id.
    Update,
    /// Changes fields, or writes the document if there is none.
    Upsert,
    /// Removes the document with this id.
    Delete,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 5] = [Self::Index, Self::Create, Self::Update, Self::Upsert, Self::Delete];

    /// The name: `index`, `create`, `update`, `upsert` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }

    /// Finds the operation of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// Tells whether it needs an id.
    pub fn needs_id(self) -> bool {
        matches!(self, Self::Update | Self::Upsert | Self::Delete)
    }

    /// Tells whether Elasticsearch takes an external version with it.
    pub fn takes_version(self) -> bool {
        matches!(self, Self::Index | Self::Delete)
    }

    /// Tells whether its documents pass through an ingest pipeline.
    pub fn takes_pipeline(self) -> bool {
        matches!(self, Self::Index | Self::Create)
    }
}
