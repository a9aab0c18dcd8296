//! The division of a text into passages: its options, and the passages that come out. The cuts are decided
//! in `passages`.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::passages;
use super::tokenizer::TextTokenizer;
use crate::error::{Error, ErrorKind};

/// The division of texts into passages.
///
/// ```
/// use es_serving::embedding::{Chunker, Chunking};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chunking: Chunking = serde_json::from_str(r#"{"by": "sentences", "size": 2, "overlap": 1}"#)?;
/// let passages = Chunker::new(chunking, None)?.split("Zürich is a city. It has a lake. Ducks like it.")?;
/// let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
/// assert_eq!(texts, ["Zürich is a city. It has a lake.", "It has a lake. Ducks like it."]);
/// assert_eq!((passages[1].start, passages[1].end), (18, 47)); // in code points, as Python counts
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Chunking {
    /// Passages of tokens of the model, cut between words.
    Tokens {
        /// The greatest number of tokens of a passage, without the special tokens and the prefix that the
        /// model is given beside the text.
        #[serde(default = "default_tokens")]
        size: NonZeroU32,
        /// The greatest number of tokens at the end of a passage with which the next one begins again.
        #[serde(default)]
        overlap: u32,
    },
    /// Passages of whole sentences. One that is longer than the model takes is cut between words.
    Sentences {
        /// The greatest number of sentences of a passage. It has fewer where the model takes fewer tokens.
        #[serde(default = "default_sentences")]
        size: NonZeroU32,
        /// The number of sentences at the end of a passage with which the next one begins again.
        #[serde(default)]
        overlap: u32,
    },
}

fn default_tokens() -> NonZeroU32 {
    const { NonZeroU32::new(200).unwrap() }
}

fn default_sentences() -> NonZeroU32 {
    const { NonZeroU32::new(5).unwrap() }
}

impl Default for Chunking {
    /// By tokens, since every model has a limit of them.
    fn default() -> Self {
        Self::Tokens { size: default_tokens(), overlap: 0 }
    }
}

impl Chunking {
    /// Sentences, for models whose tokens cannot be counted.
    pub fn by_sentences() -> Self {
        Self::Sentences { size: default_sentences(), overlap: 0 }
    }

    /// Checks what can be checked without a tokenizer.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the overlap is as large as a passage.
    pub fn check(&self) -> Result<(), Error> {
        let (what, size, overlap) = match self {
            Self::Tokens { size, overlap } => ("tokens", size, overlap),
            Self::Sentences { size, overlap } => ("sentences", size, overlap),
        };
        if *overlap >= size.get() {
            let message = format!("an overlap of {overlap} {what} is not less than the size of {size} {what}");
            return Err(Error::new(ErrorKind::Invalid, message)
                .with_help("a tenth to a fifth of the size is common for an overlap"));
        }
        Ok(())
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Passage {
    /// Its number in the text, from 0.
    pub ordinal: usize,
    /// The place of its first character in the text, counted in Unicode code points from 0: as Python
    /// counts, or `offsetByCodePoints` in Java.
    pub start: usize,
    /// The place after its last character, in code points.
    pub end: usize,
    /// The text between these places.
    pub text: String,
}

/// The tokenizer of a model, with the number of tokens of a text that the model takes.
#[derive(Clone, Debug)]
pub struct TokenLimit {
    /// The tokenizer.
    pub tokenizer: Arc<TextTokenizer>,
    /// The greatest number of tokens of a text, without special tokens and prefixes; none where it is not
    /// known.
    pub most: Option<usize>,
}

/// Divides texts into passages.
#[derive(Clone, Debug)]
pub struct Chunker {
    chunking: Chunking,
    limit: Option<TokenLimit>,
}

impl Chunker {
    /// Options with the tokenizer that they need: [`Embedder::token_limit`](super::Embedder::token_limit).
    /// Sentences need none, and may then be longer than the model takes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`Chunking::check`], for tokens without a tokenizer, and for more tokens than
    /// the model takes.
    pub fn new(chunking: Chunking, limit: Option<TokenLimit>) -> Result<Self, Error> {
        chunking.check()?;
        let invalid = |message: String| Error::new(ErrorKind::Invalid, message);
        if let Chunking::Tokens { size, .. } = chunking {
            let Some(limit) = &limit else {
                return Err(invalid("tokens cannot be counted without a tokenizer".to_owned())
                    .with_help("divide by sentences, or use a model with its tokenizer"));
            };
            if let Some(most) = limit.most
                && to_usize(size) > most
            {
                return Err(invalid(format!(
                    "passages of {size} tokens are longer than the {most} that the model takes"
                ))
                .with_help("the model is given special tokens and a prefix beside the text"));
            }
        }
        Ok(Self { chunking, limit })
    }

    /// Divides a text. Each passage is the text between its places, without white space at its ends; together
    /// they cover all that is no white space. A text that fits is one passage, and a blank one none.
    ///
    /// # Errors
    /// [`ErrorKind::Text`] when the tokenizer refuses the text.
    pub fn split(&self, text: &str) -> Result<Vec<Passage>, Error> {
        let body = trimmed(text, 0..text.len());
        if body.is_empty() {
            return Ok(Vec::new());
        }
        let mut ranges = Vec::new();
        match (self.chunking, &self.limit) {
            (Chunking::Tokens { size, overlap }, Some(limit)) => {
                cut(&limit.tokenizer, text, body, to_usize(size), overlap as usize, &mut ranges)?;
            }
            (Chunking::Sentences { size, overlap }, Some(TokenLimit { tokenizer, most: Some(most) })) => {
                let sentences = sentences(text, &body);
                let counts: Vec<usize> =
                    sentences.iter().map(|one| tokenizer.count(&text[one.clone()])).collect::<Result<_, Error>>()?;
                for group in passages::by_sentences(&counts, to_usize(size), overlap as usize, *most) {
                    let range = sentences[group.start].start..sentences[group.end - 1].end;
                    if group.len() == 1 && counts[group.start] <= *most {
                        ranges.push(range);
                    } else {
                        cut(tokenizer, text, range, *most, 0, &mut ranges)?;
                    }
                }
            }
            (Chunking::Sentences { size, overlap }, _) => {
                let sentences = sentences(text, &body);
                let counts = vec![0; sentences.len()];
                let groups = passages::by_sentences(&counts, to_usize(size), overlap as usize, usize::MAX);
                ranges
                    .extend(groups.into_iter().map(|group| sentences[group.start].start..sentences[group.end - 1].end));
            }
            // `new` refuses it.
            (Chunking::Tokens { .. }, None) => return Err(Error::new(ErrorKind::Invalid, "there is no tokenizer")),
        }
        Ok(numbered(text, ranges))
    }
}

impl Passage {
    /// A text as one passage, without white space at its ends; none if it is blank.
    #[must_use]
    pub fn whole(text: &str) -> Option<Self> {
        let body = trimmed(text, 0..text.len());
        numbered(text, if body.is_empty() { Vec::new() } else { vec![body] }).pop()
    }
}

fn to_usize(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

/// The range without white space at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

fn sentences(text: &str, body: &Range<usize>) -> Vec<Range<usize>> {
    use unicode_segmentation::UnicodeSegmentation as _;
    let bounds = text[body.clone()].split_sentence_bound_indices();
    let ranges = bounds.map(|(at, part)| trimmed(text, body.start + at..body.start + at + part.len()));
    ranges.filter(|range| !range.is_empty()).collect()
}

/// Adds the passages of a part of a text. A passage by itself can have more tokens than as a part of a longer
/// text, for some tokenizers see the white space before a word: it is then cut again.
fn cut(
    tokenizer: &TextTokenizer,
    text: &str,
    part: Range<usize>,
    size: usize,
    overlap: usize,
    ranges: &mut Vec<Range<usize>>,
) -> Result<(), Error> {
    let tokens = tokenizer.ranges(&text[part.clone()])?;
    if tokens.len() <= size {
        ranges.push(part);
        return Ok(());
    }
    for piece in passages::by_tokens(&text[part.clone()], &tokens, size, overlap) {
        let piece = trimmed(text, part.start + piece.start..part.start + piece.end);
        match piece.is_empty() {
            true => {}
            false if piece == part => ranges.push(piece),
            false => cut(tokenizer, text, piece, size, 0, ranges)?,
        }
    }
    Ok(())
}

/// Passages of ranges in bytes.
fn numbered(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<Passage> {
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup();
    let (mut at, mut points) = (0, 0);
    let passages = ranges.into_iter().enumerate().map(|(ordinal, range)| {
        points += text[at..range.start].chars().count();
        at = range.start;
        let text = &text[range];
        Passage { ordinal, start: points, end: points + text.chars().count(), text: text.to_owned() }
    });
    passages.collect()
}
