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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tokenizer::tests::{bytes, word_pieces};
    use super::*;

    fn tokens(size: u32, overlap: u32) -> Chunking {
        Chunking::Tokens { size: size.try_into().unwrap(), overlap }
    }

    fn sentences(size: u32, overlap: u32) -> Chunking {
        Chunking::Sentences { size: size.try_into().unwrap(), overlap }
    }

    fn limit(tokenizer: TextTokenizer, most: Option<usize>) -> Option<TokenLimit> {
        Some(TokenLimit { tokenizer: Arc::new(tokenizer), most })
    }

    fn texts(chunker: &Chunker, text: &str) -> Vec<String> {
        chunker.split(text).unwrap().into_iter().map(|passage| passage.text).collect()
    }

    #[test]
    fn options_are_read_with_their_defaults_and_mistakes_are_named() {
        let read = |value: serde_json::Value| serde_json::from_value::<Chunking>(value);
        assert_eq!(read(json!({"by": "tokens"})).unwrap(), Chunking::default());
        assert_eq!(read(json!({"by": "sentences", "overlap": 1})).unwrap(), sentences(5, 1));
        for value in [json!({"by": "words"}), json!({"by": "tokens", "size": 0}), json!({"by": "tokens", "limit": 3})] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
        let schema = serde_json::to_string(&schemars::schema_for!(Chunking)).unwrap();
        assert!(["\"tokens\"", "\"sentences\"", "overlap"].iter().all(|part| schema.contains(part)), "{schema}");
        let error = |chunking, limit| Chunker::new(chunking, limit).unwrap_err().to_string();
        assert_eq!(error(sentences(2, 2), None), "an overlap of 2 sentences is not less than the size of 2 sentences");
        assert_eq!(error(tokens(8, 0), None), "tokens cannot be counted without a tokenizer");
        let message = "passages of 8 tokens are longer than the 6 that the model takes";
        assert_eq!(error(tokens(8, 0), limit(word_pieces(), Some(6))), message);
    }

    #[test]
    fn places_are_code_points() {
        let chunker = Chunker::new(sentences(1, 0), None).unwrap();
        let passages = chunker.split("  Zürich! 👨‍👩‍👧 fly.\n").unwrap();
        let found: Vec<_> = passages.iter().map(|one| (one.ordinal, one.start, one.end, one.text.as_str())).collect();
        assert_eq!(found, [(0, 2, 9, "Zürich!"), (1, 10, 20, "👨‍👩‍👧 fly.")]);
        assert_eq!(Passage::whole("  Zürich! ").unwrap(), passages[0]);
    }

    #[test]
    fn a_text_that_fits_is_one_passage_and_a_blank_one_none() {
        for chunking in [tokens(4, 1), sentences(4, 1)] {
            let chunker = Chunker::new(chunking, limit(word_pieces(), Some(4))).unwrap();
            assert_eq!(texts(&chunker, " the late cat \n"), ["the late cat"]);
            assert!(texts(&chunker, "").is_empty() && texts(&chunker, " \n\t\u{2003}").is_empty());
        }
        assert_eq!(Passage::whole(" \n"), None);
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_between_words() {
        let text = "The cat is late. The cat, the dog and the fish are not late. Why?";
        let with = Chunker::new(sentences(2, 0), limit(word_pieces(), Some(8))).unwrap();
        let expected = ["The cat is late.", "The cat, the dog and the fish", "are not late.", "Why?"];
        assert_eq!(texts(&with, text), expected);
        let without = Chunker::new(sentences(2, 0), None).unwrap();
        assert_eq!(texts(&without, text), ["The cat is late. The cat, the dog and the fish are not late.", "Why?"]);
    }

    /// Texts of words, marks, emoji, scripts without spaces and all kinds of white space.
    fn any_text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[a-z]{1,9}",
            2 => "[ \n\t\u{a0}\u{2003}]{1,3}",
            1 => "[.!?,;()\"]{1,2}",
            1 => "[漢字かなガ]{1,4}",
            1 => "(👨‍👩‍👧|🇨🇭|e\u{301}|ß|İ|\u{200b}|\u{7})",
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn passages_are_the_text_between_their_places_and_lose_no_word(
            text in any_text(),
            by_tokens: bool,
            counts_bytes: bool,
            size in 1..12_u32,
            overlap in 0..11_u32,
            most in 4..20_usize,
        ) {
            let overlap = overlap % size;
            let tokenizer = if counts_bytes { bytes() } else { word_pieces() };
            let (chunking, most) = match by_tokens {
                true => (tokens(size, overlap), most.max(size as usize)),
                false => (sentences(size, overlap), most),
            };
            let chunker = Chunker::new(chunking, limit(tokenizer, Some(most))).unwrap();
            let passages = chunker.split(&text).unwrap();
            let points: Vec<char> = text.chars().collect();
            let mut is_covered = vec![false; points.len()];
            let mut last = (0, 0);
            for (number, passage) in passages.iter().enumerate() {
                prop_assert_eq!(passage.ordinal, number);
                let expected: String = points[passage.start..passage.end].iter().collect();
                prop_assert_eq!(&expected, &passage.text);
                prop_assert!(!passage.text.is_empty() && passage.text.trim() == passage.text);
                prop_assert!(number == 0 || (passage.start, passage.end) > last, "{:?}", passages);
                last = (passage.start, passage.end);
                is_covered[passage.start..passage.end].fill(true);
                let tokenizer = &chunker.limit.as_ref().unwrap().tokenizer;
                let count = tokenizer.count(&passage.text).unwrap();
                let size = if by_tokens { size as usize } else { most };
                // Longer than asked for only where it is one character.
                prop_assert!(count <= size || passage.end - passage.start <= 3, "{} tokens: {:?}", count, passage);
            }
            for (point, is_covered) in points.iter().zip(is_covered) {
                prop_assert!(is_covered || point.is_whitespace(), "{:?} of {:?}", point, passages);
            }
            prop_assert_eq!(passages.is_empty(), text.trim().is_empty());
        }
    }
}
