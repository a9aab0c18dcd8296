//! A rule that options break, and the place in them.

use std::fmt;

/// A rule that options break, with the place of the value that breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place of the value inside the options, from the outermost key inwards; empty for the
    /// options as a whole.
    pub path: Vec<PathSegment>,
    /// The sort of mistake.
    pub kind: ProblemKind,
    /// The mistake: lower case, no full stop.
    pub message: String,
    /// The remedy.
    pub help: String,
}

/// A step on the way to a value inside options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSegment {
    /// The value under a key.
    Key(String),
    /// The item of a list, counted from 0.
    Index(usize),
}

/// The sort of mistake that a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A value that is not allowed, by itself or beside another one.
    InvalidValue,
    /// The name of a thing that does not exist.
    UnknownReference,
}

impl Problem {
    /// A value that is not allowed.
    pub fn invalid(
        path: impl IntoIterator<Item = PathSegment>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let path = path.into_iter().collect();
        Self { path, kind: ProblemKind::InvalidValue, message: message.into(), help: help.into() }
    }

    /// A field that is not among the columns, at a path. `otherwise` is the help where no column has
    /// a similar name.
    pub fn unknown_field(
        path: impl IntoIterator<Item = PathSegment>,
        field: &str,
        columns: &[String],
        otherwise: &str,
    ) -> Self {
        let names = || columns.iter().map(String::as_str);
        let help = match crate::nearest(field, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => otherwise.to_owned(),
        };
        Self::invalid(path, format!("`{field}` is not among the columns {}", crate::quoted_list(names())), help)
    }
}

impl From<&str> for PathSegment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for PathSegment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.path.iter().enumerate() {
            match segment {
                PathSegment::Key(key) if place == 0 => f.write_str(key)?,
                PathSegment::Key(key) => write!(f, ".{key}")?,
                PathSegment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, ": {}", self.message) }
    }
}
