//! Invalid options, with the path at which they stand.

use std::fmt;

/// An option whose value contradicts the other options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOption {
    /// The path of the value inside the options that were checked. Empty for the options as a whole.
    pub path: Vec<PathPart>,
    /// The problem: lower case, no full stop.
    pub message: String,
    /// The next step for a person.
    pub help: String,
}

/// A step on the path of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// The key of an object.
    Key(String),
    /// The index of a list.
    Index(usize),
}

impl InvalidOption {
    pub(crate) fn new(
        path: impl IntoIterator<Item = PathPart>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { path: path.into_iter().collect(), message: message.into(), help: help.into() }
    }

    /// A field that is not among the columns, at a path.
    pub(crate) fn unknown_field(
        path: impl IntoIterator<Item = PathPart>,
        field: &str,
        columns: &[String],
        otherwise: &str,
    ) -> Self {
        let names = || columns.iter().map(String::as_str);
        let help = match es_values::nearest(field, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => otherwise.to_owned(),
        };
        Self::new(path, format!("`{field}` is not among the columns {}", es_values::quoted_list(names())), help)
    }
}

impl From<&str> for PathPart {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for PathPart {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.path.iter().enumerate() {
            match part {
                PathPart::Key(key) if place == 0 => write!(f, "{key}")?,
                PathPart::Key(key) => write!(f, ".{key}")?,
                PathPart::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_stands_before_the_message() {
        let invalid = |path: Vec<PathPart>| InvalidOption::new(path, "is wrong", "fix it").to_string();
        assert_eq!(invalid(vec![]), "is wrong");
        assert_eq!(invalid(vec!["parts".into(), "train".into(), "until".into()]), "parts.train.until: is wrong");
        assert_eq!(invalid(vec!["partition_by".into(), 1.into()]), "partition_by[1]: is wrong");
    }
}
