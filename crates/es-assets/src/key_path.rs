//! Key paths: the address of a value inside a pipeline file, such as
//! `assets.departures.checks[1].range.min`.

use std::fmt;

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// The address of a value inside a pipeline file.
///
/// Displays as `a.b[0]`; a key that is not made of letters, digits, `_`, `-` and
/// `@` is quoted: `index["sort.field"]`.
///
/// ```
/// use es_assets::KeyPath;
///
/// let path = KeyPath::root().key("checks").index(1).key("sort.field");
/// assert_eq!(path.to_string(), r#"checks[1]["sort.field"]"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// The path of the whole file, which displays as the empty string.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of the value under `key`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The path of the element at `index`, counted from zero.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// Returns whether this is `ancestor` or inside it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// The path of the value at `inner`, a path from this value on.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// The path of a value that serde could not read, from the value on that was read.
    pub(crate) fn from_serde(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment as At;
        let segment = |segment: &At| match segment {
            At::Map { key } => Some(Segment::Key(key.clone())),
            At::Seq { index } => Some(Segment::Index(*index)),
            At::Enum { .. } | At::Unknown => None,
        };
        Self(path.iter().map_while(segment).collect())
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@'))
}
