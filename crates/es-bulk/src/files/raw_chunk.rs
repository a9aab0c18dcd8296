//! The lines of documents, whatever the format that they come from.

use super::bulk_lines::BulkLines;
use super::byte_source::ByteSource;
use super::format::FileFormat;
use super::json_lines::JsonLines;
use super::lines::count;
use super::options::ReadOptions;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::records::Quoting;
use super::refused::RefusedLine;
use super::text::Text;

/// Some lines, each of which is a document; none while a pipe is silent.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawChunk {
    pub(crate) text: Vec<u8>,
    /// The number of bytes before it, where the lines are those of the file.
    pub(crate) offset: Option<u64>,
    /// The text between the lines that cannot become one.
    pub(crate) refused: Vec<RefusedLine>,
}

/// The origin of lines.
pub(crate) enum RawText {
    /// The lines of the file itself.
    Lines(Text),
    /// Those of a bulk body, with the action of a document put into its line.
    Bulk(BulkLines),
    /// The values of a JSON text, a line each.
    Json(JsonLines),
}

impl RawText {
    pub(crate) fn open(source: ByteSource, read: &ReadOptions) -> Result<Self, ReadError> {
        Ok(match read.format {
            Some(FileFormat::Json) => Self::Json(JsonLines::open(source, read)?),
            Some(FileFormat::Bulk) => Self::Bulk(BulkLines::open(source, read)?),
            _ => Self::Lines(Text::open(source, Quoting::None, read)?),
        })
    }

    /// The next whole lines, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RawChunk>, ReadError> {
        match self {
            Self::Lines(text) => {
                let chunk = text.next()?;
                Ok(chunk.map(|chunk| RawChunk { text: chunk.text, offset: Some(chunk.offset), refused: Vec::new() }))
            }
            Self::Bulk(lines) => lines.next(),
            Self::Json(lines) => lines.next(),
        }
    }

    /// Goes to a place directly, if the place and the source allow it.
    pub(crate) fn jump(&mut self, place: FilePlace) -> Result<bool, ReadError> {
        match self {
            Self::Lines(text) => text.jump(place),
            Self::Bulk(_) | Self::Json(_) => Ok(false),
        }
    }

    /// Begins again, if the source allows it.
    pub(crate) fn restart(&mut self) -> Result<bool, ReadError> {
        match self {
            Self::Lines(text) => text.jump(FilePlace { rows: 0, bytes: Some(0) }),
            Self::Bulk(lines) => lines.restart(),
            Self::Json(lines) => lines.restart(),
        }
    }
}

impl RawChunk {
    /// Adds the lines of the next chunk.
    pub(crate) fn extend(&mut self, next: Self) {
        if self.text.is_empty() && self.refused.is_empty() {
            self.offset = next.offset;
        }
        self.text.extend_from_slice(&next.text);
        self.refused.extend(next.refused);
    }

    /// The number of lines.
    pub(crate) fn rows(&self) -> u64 {
        count(&self.text)
    }

    /// The chunk without its first lines, of which the first is the line `first`.
    pub(crate) fn after(mut self, first: u64, lines: u64) -> Self {
        let ends = memchr::memchr_iter(b'\n', &self.text).map(|at| at + 1);
        let cut = match usize::try_from(lines) {
            Ok(0) => 0,
            Ok(lines) => ends.take(lines).last().unwrap_or_default(),
            Err(_) => self.text.len(),
        };
        self.text.drain(..cut);
        self.offset = self.offset.map(|offset| offset + cut as u64);
        self.refused.retain(|refused| refused.row >= first + lines);
        self
    }
}
