//! Files of rows that wait for the statistics of the training part: they are written as they were
//! read, and encoded once all rows are read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{DataFrame, Schema};
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::complete::EncodedList;

use super::state::{self, PartFile};
use crate::cancel::{interrupted, unless};
use crate::commit::Staging;
use crate::encode::{Encoders, Fitter};
use crate::error::{Error, ErrorKind};
use crate::progress::{Observer, Phase, Progress};
use crate::write::{self, Compression, FileOptions, Format, ManifestFile};

/// The form in which rows wait: fast to write and to read, a batch at a time.
pub(super) fn file_options() -> FileOptions {
    FileOptions { compression: Some(Compression::Lz4), ..Format::IpcStream.into() }
}

/// Reads a waiting file a batch at a time.
fn read(path: &Path, mut see: impl FnMut(DataFrame) -> Result<(), Error>) -> Result<(), Error> {
    let file = File::open(path).map_err(|source| {
        Error::new(ErrorKind::Io, format!("{} cannot be read: {source}", path.display())).quoting(source)
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

/// Feeds the rows of the training part's finished files to the fitter, when an export is resumed.
pub(super) fn observe(folder: &Path, files: &[PartFile], part: usize, fitter: &mut Fitter) -> Result<(), Error> {
    for file in files.iter().filter(|file| file.part == part) {
        read(&folder.join(&file.file.path), |frame| fitter.observe(&frame))?;
    }
    Ok(())
}

/// The files to be written encoded.
pub(super) struct Encode {
    pub(super) staging: Arc<Staging>,
    /// All files that wait, or have waited.
    pub(super) files: Vec<PartFile>,
    /// The first of these files, which a killed export has encoded already.
    pub(super) encoded: Vec<PartFile>,
    /// The only file's name, where there is only one.
    pub(super) single: Option<String>,
    pub(super) format: FileOptions,
    /// The columns of the waiting files.
    pub(super) schema: Schema,
    pub(super) encoders: Encoders,
}

impl Encode {
    /// Writes all files. A file that was read is removed, as both together may not fit on the disk.
    /// After each file a killed export can be resumed.
    pub(super) async fn run(
        self,
        rows: u64,
        token: &CancellationToken,
        observer: &Observer,
    ) -> Result<Vec<PartFile>, Error> {
        let step = |rows_now, bytes| Progress {
            phase: Phase::Encoding,
            rows: rows_now,
            bytes,
            total: Some(rows),
            restarts: 0,
        };
        if !self.encoded.is_empty() {
            let sum = |of: fn(&ManifestFile) -> u64| self.encoded.iter().map(|PartFile { file, .. }| of(file)).sum();
            let (rows_now, bytes) = (sum(|file| file.rows), sum(|file| file.bytes));
            observer.notify(step(rows_now, bytes));
        }
        let (written, mut steps) = mpsc::channel::<(u64, u64)>(2);
        let writer = tokio::task::spawn_blocking(move || self.write(&written));
        let stopped = loop {
            match unless(token, steps.recv()).await {
                Ok(Some((rows_now, bytes))) => {
                    observer.notify(step(rows_now, bytes));
                }
                Ok(None) => break Ok(()),
                Err(stopped) => break Err(stopped),
            }
        };
        drop(steps);
        let files = writer.await.map_err(|source| Error::new(ErrorKind::Io, "encoding failed").with_source(source))?;
        stopped?;
        files
    }

    fn write(self, steps: &mpsc::Sender<(u64, u64)>) -> Result<Vec<PartFile>, Error> {
        let Self { staging, files, encoded: mut written, single, format, schema, encoders } = self;
        let schema = encoders.schema(&schema)?;
        let spool = state::spool(&staging);
        let mut list = EncodedList::begin(&staging, &written)?;
        let mut bytes = written.iter().map(|PartFile { file, .. }| file.bytes).sum();
        for PartFile { part, file } in files.iter().skip(written.len()) {
            let name = single.clone().unwrap_or_else(|| {
                let path = file.path.strip_suffix(file_options().format.extension()).unwrap_or(&file.path);
                format!("{path}{}", format.extension())
            });
            let mut writer = write::create(format, staging.files(), &name, &schema, Some(&encoders))?;
            let waiting = spool.join(&file.path);
            read(&waiting, |frame| {
                writer.push(&encoders.apply(&frame)?)?;
                // The receiver is gone when the export was cancelled.
                steps.blocking_send((frame.height() as u64, bytes)).map_err(|_| interrupted())
            })?;
            let file = writer.finish()?;
            bytes += file.bytes;
            let file = PartFile { part: *part, file };
            list.add(&file)?;
            written.push(file);
            std::fs::remove_file(&waiting).map_err(|source| Error::writing(&waiting, source))?;
        }
        Ok(written)
    }
}
