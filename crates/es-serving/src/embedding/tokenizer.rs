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
