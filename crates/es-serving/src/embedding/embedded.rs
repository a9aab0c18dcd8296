//! The outcome of embedding: an account of every text.

use std::sync::Arc;

/// Vectors of one length, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// The length of each vector.
    pub dims: usize,
    /// The components, vector by vector.
    pub data: Vec<f32>,
}

impl Vectors {
    /// The number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dims).unwrap_or(0)
    }

    /// Returns true when there are no vectors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The vectors in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.dims.max(1))
    }
}

/// The outcome of embedding texts: each has a vector, is rejected, or is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedded {
    vectors: Vectors,
    outcomes: Vec<Outcome>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The number of its vector.
    Vector(usize),
    Rejected(Arc<str>),
    Unknown(Arc<str>),
}

/// The outcome of one text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TextVector<'a> {
    /// Its vector.
    Vector(&'a [f32]),
    /// The reason that the model does not take it, or has no finite vector for it.
    Rejected(&'a Arc<str>),
    /// The reason that a server did not answer. It can be embedded later.
    Unknown(&'a Arc<str>),
}

impl<'a> TextVector<'a> {
    /// The vector, if there is one.
    #[must_use]
    pub fn vector(self) -> Option<&'a [f32]> {
        match self {
            Self::Vector(vector) => Some(vector),
            Self::Rejected(_) | Self::Unknown(_) => None,
        }
    }
}

impl Embedded {
    /// An account of texts; each outcome with a vector has the next one.
    pub(super) fn new(vectors: Vectors, outcomes: Vec<Outcome>) -> Self {
        Self { vectors, outcomes }
    }

    /// Adds the account of further texts, whose vectors have the same length.
    pub(super) fn append(&mut self, more: Self) {
        let before = self.vectors.len();
        if self.vectors.is_empty() {
            self.vectors = more.vectors;
        } else {
            self.vectors.data.extend(more.vectors.data);
        }
        self.outcomes.extend(more.outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Vector(place) => Outcome::Vector(before + place),
            other => other,
        }));
    }

    /// The number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Returns true when there are no texts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// The outcomes of the texts, in their order.
    pub fn iter(&self) -> impl Iterator<Item = TextVector<'_>> {
        self.outcomes.iter().map(|outcome| match outcome {
            Outcome::Vector(place) => {
                let dims = self.vectors.dims;
                TextVector::Vector(&self.vectors.data[place * dims..(place + 1) * dims])
            }
            Outcome::Rejected(reason) => TextVector::Rejected(reason),
            Outcome::Unknown(reason) => TextVector::Unknown(reason),
        })
    }

    /// Returns true when every text has a vector.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Vector(_)))
    }

    /// The vectors of the texts that have one, in the order of the texts.
    #[must_use]
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// The vectors, taken out.
    #[must_use]
    pub fn into_vectors(self) -> Vectors {
        self.vectors
    }
}
