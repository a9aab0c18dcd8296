//! The dead letter: a file of rejected documents that is itself a valid bulk body, and beside it
//! the reasons.

mod replay;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::batch::Origin;
use crate::error::{Error, ErrorKind};

pub use replay::{Replay, replay};

/// A document that Elasticsearch rejected, or a row that never became a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The number of the document within the load, from 0.
    pub(crate) number: Option<u64>,
    /// The row that it came from, counted from 1: in its file, or among all rows of the load.
    pub(crate) row: Option<u64>,
    pub(crate) origin: Option<Origin>,
    /// The HTTP status of the item.
    pub(crate) status: Option<u16>,
    /// The exception's type.
    pub(crate) error_type: String,
    /// The reason in the server's words.
    pub(crate) reason: String,
    pub(crate) content: Content,
}

/// The rejected document or row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A document: its lines in the bulk body, and the position of its source in them.
    Document { lines: Bytes, source: usize },
    /// The text of a row that is not a document.
    Row(String),
}

impl Content {
    /// The document, or the row, for a person to read.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Document { lines, source } if *source == lines.len() => String::from_utf8_lossy(lines).into_owned(),
            Self::Document { lines, source } => String::from_utf8_lossy(&lines[*source..]).into_owned(),
            Self::Row(text) => text.clone(),
        }
    }

    /// The bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Document { lines, .. } => lines.len(),
            Self::Row(text) => text.len(),
        }
    }
}

/// The length of a dead letter at some point of a load, from which the load can resume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterLength {
    /// Bytes of `NAME.ndjson`.
    pub documents: u64,
    /// Lines of it.
    pub lines: u64,
    /// Bytes of `NAME.errors.ndjson`.
    pub errors: u64,
}

/// A dead letter: `NAME.ndjson` holds the rejected documents as a bulk body that can be sent
/// again (see [`replay`]), and each line of `NAME.errors.ndjson` gives the reason for one:
/// `document` is its number in the load, `letter` the line of its action in `NAME.ndjson`, `file`
/// and `row` are its origin. Without a file, `row` counts all rows of the load. Rows that never
/// became documents are only in the errors, with their `text`. Both files keep the order of the
/// input. They are created when the first document is rejected; those of an earlier load under
/// the same name are removed when a load begins.
#[derive(Debug)]
pub struct DeadLetter {
    documents: PathBuf,
    errors: PathBuf,
    /// The length that is kept when the load begins.
    keeps: LetterLength,
    length: LetterLength,
    open: Option<(BufWriter<File>, BufWriter<File>)>,
}

impl DeadLetter {
    /// A dead letter at a path without an extension.
    pub fn new(path: &Path) -> Self {
        Self::append_to(path, LetterLength::default())
    }

    /// A dead letter of a load that resumes, with the length that it had at the load's last
    /// checkpoint. What was added after that is cut off, as it will be rejected again.
    pub fn append_to(path: &Path, length: LetterLength) -> Self {
        let [documents, errors] = Self::files(path);
        Self { documents, errors, keeps: length, length, open: None }
    }

    /// The paths of a dead letter at a path without an extension: of the documents and the reasons.
    pub fn files(path: &Path) -> [PathBuf; 2] {
        // A dot in the name, as in `run.7`, begins no extension.
        [".ndjson", ".errors.ndjson"].map(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        })
    }

    /// The path of the documents, if any was rejected.
    pub fn documents(&self) -> Option<&Path> {
        (self.open.is_some() || self.length.errors > 0).then_some(self.documents.as_path())
    }

    /// The length with everything that was rejected so far.
    pub fn length(&self) -> LetterLength {
        self.length
    }

    /// Removes what an earlier load left, and cuts off what is not kept.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let result = match self.keeps.errors {
            0 => remove(&self.documents).and_then(|()| remove(&self.errors)),
            _ => self.cut(),
        };
        self.length = self.keeps;
        result.map_err(|source| self.failed("prepared", source))
    }

    fn cut(&mut self) -> io::Result<()> {
        let reopen = |path: &Path, length: u64| {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            let there = file.metadata()?.len();
            if there < length {
                let message = format!("{} has {there} bytes and had {length} before", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(BufWriter::new(file))
        };
        self.open = Some((reopen(&self.documents, self.keeps.documents)?, reopen(&self.errors, self.keeps.errors)?));
        Ok(())
    }

    pub(crate) fn add(&mut self, rejection: &Rejection) -> Result<(), Error> {
        self.write(rejection).map_err(|source| self.failed("written", source))
    }

    fn write(&mut self, rejection: &Rejection) -> io::Result<()> {
        if self.open.is_none() {
            if let Some(folder) = self.documents.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let create = |path| OpenOptions::new().create(true).truncate(true).write(true).open(path);
            self.open = Some((BufWriter::new(create(&self.documents)?), BufWriter::new(create(&self.errors)?)));
        }
        let Some((documents, errors)) = &mut self.open else { return Ok(()) };
        let (letter, text) = match &rejection.content {
            Content::Document { lines, source } => {
                documents.write_all(lines)?;
                let letter = self.length.lines + 1;
                self.length.documents += lines.len() as u64;
                self.length.lines += if *source == lines.len() { 1 } else { 2 };
                (Some(letter), None)
            }
            Content::Row(text) => (None, Some(text)),
        };
        let origin = rejection.origin.as_ref();
        let mut line = json!({
            "document": rejection.number, "letter": letter,
            "file": origin.map(|origin| &*origin.file), "row": origin.map(|origin| origin.row).or(rejection.row),
            "status": rejection.status, "type": rejection.error_type, "reason": rejection.reason,
        });
        if let (Some(text), Some(fields)) = (text, line.as_object_mut()) {
            fields.insert("text".to_owned(), text.as_str().into());
        }
        let mut line = line.to_string();
        line.push('\n');
        errors.write_all(line.as_bytes())?;
        self.length.errors += line.len() as u64;
        Ok(())
    }

    /// Hands everything to the operating system: a process that is killed loses none of it.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let Some((documents, errors)) = &mut self.open else { return Ok(()) };
        let result = documents.flush().and_then(|()| errors.flush());
        result.map_err(|source| self.failed("written", source))
    }

    /// Puts everything on disk: a machine that loses power loses none of it.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        let Some((documents, errors)) = &mut self.open else { return Ok(()) };
        let result = documents.get_ref().sync_all().and_then(|()| errors.get_ref().sync_all());
        result.map_err(|source| self.failed("written", source))
    }

    fn failed(&self, what: &str, source: io::Error) -> Error {
        let message = format!("the dead letter {} cannot be {what}: {source}", self.documents.display());
        Error::of_file(ErrorKind::DeadLetter, &self.documents, message).with_source(source)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
