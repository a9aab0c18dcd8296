//! Rows that wait for the statistics of the training part: written as they were read, and
//! written encoded once all are there.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{DataFrame, Schema};
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::forward::{interrupted, unless};
use super::progress::{Phase, Progress};
use super::state::PartFile;
use crate::encode::{Encoders, Fitter};
use crate::error::{Error, ErrorKind};
use crate::write::{self, Compression, Format};

/// The form in which rows wait: quick to write and to read, a batch at a time.
pub(super) const FORMAT: Format = Format::IpcStream { compression: Compression::Lz4 };

/// Reads a waiting file a batch at a time.
fn read(path: &Path, mut see: impl FnMut(DataFrame) -> Result<(), Error>) -> Result<(), Error> {
    let file = File::open(path).map_err(|source| {
        Error::new(ErrorKind::Io, format!("{} cannot be read: {source}", path.display())).with_source(source)
    })?;
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let metadata = read_stream_metadata(&mut file)?;
    for batch in StreamReader::new(file, metadata, None) {
        match batch? {
            StreamState::Some(batch) => see(DataFrame::from(batch))?,
            // A file has nothing more to come.
            StreamState::Waiting => break,
        }
    }
    Ok(())
}

/// Shows the rows of the training part's finished files to what learns from them, when an
/// export is carried on.
pub(super) fn observe(folder: &Path, files: &[PartFile], part: usize, fitter: &mut Fitter) -> Result<(), Error> {
    for file in files.iter().filter(|file| file.part == part) {
        read(&folder.join(&file.file.path), |frame| fitter.observe(&frame))?;
    }
    Ok(())
}

/// The files to be written encoded.
pub(super) struct Encode {
    /// Where the files wait.
    pub(super) spool: PathBuf,
    /// Where the encoded files go.
    pub(super) folder: PathBuf,
    pub(super) files: Vec<PartFile>,
    /// The only file's name, where there is only one.
    pub(super) single: Option<String>,
    pub(super) format: Format,
    /// The columns of the waiting files.
    pub(super) schema: Schema,
    pub(super) encoders: Arc<Encoders>,
}

impl Encode {
    /// Writes all files; a file that was read is removed, as both together may not fit.
    pub(super) async fn run(
        self,
        rows: u64,
        cancel: &CancellationToken,
        observer: &impl Fn(Progress),
    ) -> Result<Vec<PartFile>, Error> {
        let (told, mut steps) = mpsc::channel::<(u64, u64)>(2);
        let writer = tokio::task::spawn_blocking(move || self.write(&told));
        let stopped = loop {
            match unless(cancel, steps.recv()).await {
                Ok(Some((rows_now, bytes))) => {
                    observer(Progress { phase: Phase::Encoding, rows: rows_now, bytes, total: Some(rows) });
                }
                Ok(None) => break Ok(()),
                Err(stopped) => break Err(stopped),
            }
        };
        drop(steps);
        let written =
            writer.await.map_err(|source| Error::new(ErrorKind::Io, "encoding failed").with_source(source))?;
        stopped?;
        written
    }

    fn write(self, told: &mpsc::Sender<(u64, u64)>) -> Result<Vec<PartFile>, Error> {
        let schema = self.encoders.schema(&self.schema)?;
        let mut bytes = 0;
        let mut written = Vec::with_capacity(self.files.len());
        for PartFile { part, file } in &self.files {
            let name = self.single.clone().unwrap_or_else(|| {
                let path = file.path.strip_suffix(FORMAT.extension()).unwrap_or(&file.path);
                format!("{path}{}", self.format.extension())
            });
            let mut writer = write::create(&self.format, &self.folder, &name, &schema, Some(&self.encoders))?;
            let waiting = self.spool.join(&file.path);
            read(&waiting, |frame| {
                writer.push(&self.encoders.apply(&frame)?)?;
                // Nobody listens any more when the export was stopped.
                told.blocking_send((frame.height() as u64, bytes)).map_err(|_| interrupted())
            })?;
            let file = writer.finish()?;
            bytes += file.bytes;
            written.push(PartFile { part: *part, file });
            std::fs::remove_file(&waiting).map_err(|source| Error::writing(&waiting, source))?;
        }
        Ok(written)
    }
}
