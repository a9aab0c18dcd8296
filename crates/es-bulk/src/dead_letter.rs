//! Where rejected documents go: a file that is itself a valid bulk body, and beside it the
//! reasons.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::batch::Batch;
use crate::error::{Error, ErrorKind};
use crate::outcome::Rejection;

/// A dead letter: `NAME.ndjson` holds the refused documents as a bulk body that can be sent
/// again, and line n of `NAME.errors.ndjson` says why the n-th of them was refused. The
/// files are made when the first document is refused.
#[derive(Debug)]
pub struct DeadLetter {
    documents: PathBuf,
    errors: PathBuf,
    open: Option<(BufWriter<File>, BufWriter<File>)>,
}

impl DeadLetter {
    /// A dead letter at a path without an extension.
    pub fn new(path: &Path) -> Self {
        // A dot in the name, as in `run.7`, begins no extension.
        let with = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { documents: with(".ndjson"), errors: with(".errors.ndjson"), open: None }
    }

    /// Where the documents are, if any was refused.
    pub fn documents(&self) -> Option<&Path> {
        self.open.as_ref().map(|_| self.documents.as_path())
    }

    pub(crate) fn add(&mut self, batch: &Batch, document: usize, rejection: &Rejection) -> Result<(), Error> {
        let result = self.write(batch, document, rejection);
        result.map_err(|source| {
            Error::of_file(
                ErrorKind::DeadLetter,
                &self.documents,
                format!("the dead letter {} cannot be written: {source}", self.documents.display()),
            )
            .with_source(source)
        })
    }

    fn write(&mut self, batch: &Batch, document: usize, rejection: &Rejection) -> std::io::Result<()> {
        if self.open.is_none() {
            if let Some(folder) = self.documents.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let create = |path| OpenOptions::new().create(true).truncate(true).write(true).open(path);
            self.open = Some((BufWriter::new(create(&self.documents)?), BufWriter::new(create(&self.errors)?)));
        }
        if let Some((documents, errors)) = &mut self.open {
            documents.write_all(batch.lines(document))?;
            let line = json!({
                "document": rejection.number, "status": rejection.status,
                "type": rejection.error_type, "reason": rejection.reason,
            });
            writeln!(errors, "{line}")?;
        }
        Ok(())
    }

    /// Puts everything on disk.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let Some((documents, errors)) = &mut self.open else { return Ok(()) };
        documents.flush().and_then(|()| errors.flush()).map_err(|source| {
            Error::of_file(
                ErrorKind::DeadLetter,
                &self.documents,
                format!("the dead letter {} cannot be written: {source}", self.documents.display()),
            )
            .with_source(source)
        })
    }
}
