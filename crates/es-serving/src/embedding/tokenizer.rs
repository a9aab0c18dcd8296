//! Tokenizers, as a `tokenizer.json` describes them. Nothing else of this crate knows the crate
//! `tokenizers`.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::{Error, ErrorKind};

/// The greatest size of a tokenizer's file. Those of large multilingual models have some 20 MB.
const LARGEST_BYTES: u64 = 256 << 20;

/// The tokenizer of a model.
///
/// A truncation or padding that its file says is left out: no text is cut without a word.
pub struct TextTokenizer {
    inner: Tokenizer,
    pad: u32,
    special_tokens: usize,
}

/// The tokens of a text, with the special ones of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) ids: Vec<u32>,
    pub(super) types: Vec<u32>,
    /// The number of special tokens at the end.
    last: usize,
}

impl Tokens {
    /// Leaves out tokens of the text at its end, so that `most` are left.
    pub(super) fn cut_to(&mut self, most: usize) {
        let count = self.ids.len();
        if count > most {
            let gap = most.saturating_sub(self.last)..count - self.last;
            self.ids.drain(gap.clone());
            self.types.drain(gap);
        }
    }
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelFile`] when it cannot be read or is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::new(ErrorKind::ModelFile, format!("{}: {why}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()).with_source(error))?.len();
        if size > LARGEST_BYTES {
            return Err(wrong(format!("{size} bytes are more than the {LARGEST_BYTES} of a tokenizer's file")));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()).with_source(error))?;
        Self::parse(&bytes).map_err(|error| {
            let help = error.help().unwrap_or_default().to_owned();
            wrong(error.to_string()).with_help(help).with_source(error)
        })
    }

    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// As [`TextTokenizer::open`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |error: tokenizers::Error| {
            Error::new(ErrorKind::ModelFile, format!("this is not a tokenizer: {error}"))
                .with_source(error)
                .with_help("a tokenizer is a file tokenizer.json, which `save_pretrained` of a fast tokenizer writes")
        };
        let mut inner = Tokenizer::from_bytes(bytes).map_err(wrong)?;
        let pad = match inner.get_padding() {
            Some(padding) => padding.pad_id,
            None => ["[PAD]", "<pad>"].iter().find_map(|token| inner.token_to_id(token)).unwrap_or(0),
        };
        inner.with_padding(None);
        inner.with_truncation(None).map_err(wrong)?;
        let special_tokens = inner.encode_fast("", true).map_err(wrong)?.len();
        Ok(Self { inner, pad, special_tokens })
    }

    /// The number of tokens of a text, without special ones.
    ///
    /// # Errors
    /// [`ErrorKind::Text`] when the tokenizer refuses it.
    pub fn count(&self, text: &str) -> Result<usize, Error> {
        Ok(self.inner.encode_fast(text, false).map_err(refused)?.len())
    }

    /// The ids of the tokens of a text, as a model is given them: with the special ones.
    ///
    /// # Errors
    /// [`ErrorKind::Text`] when the tokenizer refuses it.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, Error> {
        Ok(self.tokens(text)?.ids)
    }

    /// The number of special tokens that a model is given beside those of each text.
    pub fn special_tokens(&self) -> usize {
        self.special_tokens
    }

    /// The ids and types of the tokens, as a model is given them.
    pub(super) fn tokens(&self, text: &str) -> Result<Tokens, Error> {
        let encoding = self.inner.encode_fast(text, true).map_err(refused)?;
        let special = encoding.get_special_tokens_mask();
        let last = special.iter().rev().take_while(|special| **special == 1).count().min(self.special_tokens);
        Ok(Tokens { ids: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec(), last })
    }

    /// The bytes of each token in the text, without special ones.
    pub(super) fn ranges(&self, text: &str) -> Result<Vec<Range<usize>>, Error> {
        let encoding = self.inner.encode(text, false).map_err(refused)?;
        Ok(encoding.get_offsets().iter().map(|(start, end)| *start..*end).collect())
    }

    /// The id that fills a batch up.
    pub(super) fn pad(&self) -> u32 {
        self.pad
    }
}

fn refused(error: tokenizers::Error) -> Error {
    Error::new(ErrorKind::Text, format!("the tokenizer refuses the text: {error}")).with_source(error)
}

impl fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.inner.get_vocab_size(true);
        f.debug_struct("TextTokenizer").field("tokens", &tokens).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(value: &Value) -> TextTokenizer {
        TextTokenizer::parse(value.to_string().as_bytes()).unwrap()
    }

    fn word_pieces_json() -> Value {
        let words =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "fish", "is", "are", "not", "late", "and"];
        let letters = ('a'..='z').flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
        let marks = [".", ",", "!", "?"].map(str::to_owned);
        let all = words.into_iter().map(str::to_owned).chain(letters).chain(marks);
        let vocabulary: Value =
            all.enumerate().map(|(number, piece)| (piece, json!(number))).collect::<serde_json::Map<_, _>>().into();
        json!({
            "version": "1.0", "added_tokens": [],
            "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 3}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 7,
                "pad_type_id": 0, "pad_token": "[PAD]"},
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary}
        })
    }

    /// Word pieces as of BERT: some words, and letters.
    pub(in crate::embedding) fn word_pieces() -> TextTokenizer {
        parse(&word_pieces_json())
    }

    /// A token for each byte, with those of white space at the beginning of words, as of GPT-2.
    pub(in crate::embedding) fn bytes() -> TextTokenizer {
        // The printable characters that stand for bytes.
        let plain = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let mut beyond = 255;
        let vocabulary: Value = (0..256_u32)
            .map(|byte| {
                beyond += u32::from(!plain(byte));
                let point = if plain(byte) { byte } else { beyond };
                (char::from_u32(point).unwrap().to_string(), json!(byte))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        parse(&json!({
            "version": "1.0", "added_tokens": [], "truncation": null, "padding": null, "normalizer": null,
            "pre_tokenizer": level, "post_processor": level, "decoder": level,
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "vocab": vocabulary, "merges": []}
        }))
    }

    #[test]
    fn truncation_and_padding_of_the_file_are_left_out() {
        let tokenizer = word_pieces();
        assert_eq!((tokenizer.pad(), tokenizer.special_tokens()), (7, 2));
        assert_eq!(tokenizer.ids("The cat is not late").unwrap(), [2, 4, 5, 8, 10, 11, 3]);
        assert_eq!(tokenizer.ids("").unwrap(), [2, 3]);
        assert_eq!(tokenizer.count("The cats").unwrap(), 3);
        assert_eq!(bytes().count("é a").unwrap(), 4);
    }

    #[test]
    fn tokens_are_cut_before_the_special_ones_at_the_end() {
        for (most, expected) in [(9, vec![2, 4, 5, 8, 3]), (4, vec![2, 4, 5, 3]), (2, vec![2, 3])] {
            let mut tokens = word_pieces().tokens("The cat is").unwrap();
            tokens.cut_to(most);
            assert_eq!((tokens.ids, tokens.types.len()), (expected.clone(), expected.len()));
        }
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let error = TextTokenizer::parse(b"{}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ModelFile);
        assert!(error.to_string().starts_with("this is not a tokenizer: "), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.json");
        std::fs::write(&path, "[]").unwrap();
        let error = TextTokenizer::open(&path).unwrap_err();
        assert!(error.to_string().contains("vocab.json: this is not a tokenizer"), "{error}");
        let error = TextTokenizer::open(&folder.path().join("missing.json")).unwrap_err();
        assert!(error.to_string().contains("missing.json"), "{error}");
    }
}
