//! A rule that options break, and the place in them.

use std::fmt;

/// A rule that the options break, with the place of the value that breaks it. The value is not
/// allowed, by itself or beside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place of the value inside the options, from the outermost key inwards.
    pub path: Vec<PathSegment>,
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

impl Problem {
    pub(crate) fn invalid(path: Vec<PathSegment>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path, message: message.into(), help: help.into() }
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
        write!(f, ": {}", self.message)
    }
}
