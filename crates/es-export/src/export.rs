//! An export: rows of an index, as files of parts, committed as a whole.

use std::path::{Path, PathBuf};

use es_core::Client;
use es_frame::ColumnRequest;
use futures::StreamExt as _;
use jiff::Timestamp;
use polars::prelude::{CompatLevel, DataFrame, Schema};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::commit::Staging;
use crate::error::{Error, ErrorKind};
use crate::manifest::{Manifest, ManifestColumn, ManifestFile, ManifestPart, ManifestSource};
use crate::read::{IndexReader, ReadRequest};
use crate::split::Split;
use crate::write::{self, Compression, Format, ParquetOptions};

/// The limits and form of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// Rows of a row group; memory holds one of each part. Default: 131,072.
    pub row_group_rows: usize,
    /// The compression. Default: Zstandard.
    pub compression: Compression,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { row_group_rows: 131_072, compression: Compression::default() }
    }
}

/// A step of an export: rows read since the step before, and how many there will be in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows read since the step before.
    pub rows: u64,
    /// All rows of the export; 0 where that is not known.
    pub total: u64,
}

/// What to export and where to.
#[derive(Clone, Debug)]
pub struct Export {
    /// What to read. With [`ColumnRequest::Named`] the files have these columns in this
    /// order; key columns of the split are read as well, but not written unless named.
    pub request: ReadRequest,
    /// The folder of the files.
    pub destination: PathBuf,
    /// How rows are assigned to parts.
    pub split: Option<Split>,
    /// The form of the files.
    pub options: ExportOptions,
    /// What the manifest notes for the caller.
    pub notes: Value,
}

impl Export {
    /// Reads, writes and commits. Whatever happens before the end, the destination stays as
    /// it was.
    ///
    /// # Errors
    /// Any kind; [`ErrorKind::Interrupted`] when the token was cancelled.
    pub async fn run(
        self,
        client: &Client,
        cancel: &CancellationToken,
        observer: impl Fn(Progress),
    ) -> Result<Manifest, Error> {
        let staging = Staging::create(&self.destination)?;
        let reader = IndexReader::open(client, self.read_request()).await?;
        let schema = self.written_schema(&reader);
        let writing = self.start_writer(staging.folder(), &schema)?;

        let (frames, writer) = writing;
        let read = self.forward(&reader, frames, cancel, observer).await;
        // The writer ends when the channel does. Its error is the first cause, as a reader
        // whose frames nobody takes just stops.
        let written = match writer.await {
            Ok(written) => written,
            Err(source) => Err(Error::new(ErrorKind::Io, "writing the files failed").with_source(source)),
        };
        let source = self.source(&reader);
        let columns = columns(&reader, &schema);
        let outcome = match (written, read) {
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(parts), Ok(rows)) => reader.reconcile(rows).map(|()| (parts, rows)),
        };
        let closed = reader.close().await;
        let (parts, rows) = outcome?;
        closed?;

        let manifest = Manifest {
            manifest_version: 1,
            created: Timestamp::now(),
            written_by: concat!("es-export ", env!("CARGO_PKG_VERSION")).to_owned(),
            source,
            rows,
            columns,
            split: self.split.as_ref().map(|split| {
                let parts: serde_json::Map<_, _> =
                    split.parts().iter().map(|(name, share)| (name.clone(), json!(share))).collect();
                json!({"by": "hash", "hash": "xxh3_64", "key": split.key(), "seed": split.seed(), "parts": parts})
            }),
            parts,
            notes: self.notes.clone(),
        };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|source| Error::new(ErrorKind::Io, "the manifest cannot be written").with_source(source))?;
        let committed = tokio::task::spawn_blocking(move || staging.commit(&text)).await;
        committed.map_err(|source| Error::new(ErrorKind::Io, "the commit failed").with_source(source))??;
        Ok(manifest)
    }

    /// The request with the key columns of the split added.
    fn read_request(&self) -> ReadRequest {
        let mut request = self.request.clone();
        let columns = request.search_mut().map(|search| &mut search.columns);
        if let (Some(ColumnRequest::Named(names)), Some(split)) = (columns, &self.split) {
            for key in split.key() {
                if !names.contains(key) {
                    names.push(key.clone());
                }
            }
        }
        request
    }

    fn written_schema(&self, reader: &IndexReader) -> Schema {
        let read = reader.schema();
        match self.request.search().map(|search| &search.columns) {
            None | Some(ColumnRequest::All) => read,
            Some(ColumnRequest::Named(names)) => names
                .iter()
                .filter_map(|name| read.get_full(name).map(|(_, name, dtype)| (name.clone(), dtype.clone())))
                .collect(),
        }
    }

    /// Passes the rows on until all are read, the writer stops, or the token is cancelled.
    async fn forward(
        &self,
        reader: &IndexReader,
        frames: mpsc::Sender<DataFrame>,
        cancel: &CancellationToken,
        observer: impl Fn(Progress),
    ) -> Result<u64, Error> {
        let mut stream = std::pin::pin!(reader.frames());
        let mut rows = 0;
        loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    return Err(Error::new(ErrorKind::Interrupted, "the export was stopped")
                        .with_help("nothing was changed; run it again"));
                }
                next = stream.next() => next,
            };
            let Some(frame) = next.transpose()? else { return Ok(rows) };
            let read = frame.height() as u64;
            if frames.send(frame).await.is_err() {
                return Ok(rows);
            }
            rows += read;
            observer(Progress { rows: read, total: reader.count().unwrap_or_default() });
        }
    }

    /// A thread of its own for splitting, compressing and writing, with room for two frames.
    #[expect(clippy::type_complexity, reason = "the two ends of one channel, taken apart at once")]
    fn start_writer(
        &self,
        folder: &Path,
        schema: &Schema,
    ) -> Result<(mpsc::Sender<DataFrame>, tokio::task::JoinHandle<Result<Vec<ManifestPart>, Error>>), Error> {
        let names: Vec<String> = match &self.split {
            Some(split) => split.parts().iter().map(|(name, _)| name.clone()).collect(),
            None => vec!["data".to_owned()],
        };
        let ExportOptions { compression, row_group_rows } = self.options;
        let format = Format::Parquet(ParquetOptions { compression, row_group_rows, ..ParquetOptions::default() });
        let mut writers = names
            .iter()
            .map(|name| {
                write::create(&format, folder, &format!("{name}/part-00000.{}", format.extension()), schema, None)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let split = self.split.clone();
        let columns: Vec<_> = schema.iter_names().cloned().collect();
        let (sender, mut frames) = mpsc::channel::<DataFrame>(2);
        let task = tokio::task::spawn_blocking(move || {
            while let Some(frame) = frames.blocking_recv() {
                let parts = match &split {
                    Some(split) => split.apply(&frame)?,
                    None => vec![frame],
                };
                for (writer, part) in writers.iter_mut().zip(parts) {
                    writer.push(&part.select(columns.iter().cloned())?)?;
                }
            }
            let files = writers.into_iter().map(|writer| writer.finish()).collect::<Result<Vec<ManifestFile>, _>>()?;
            let part = |(name, file): (String, ManifestFile)| ManifestPart { name, rows: file.rows, files: vec![file] };
            Ok(names.into_iter().zip(files).map(part).collect())
        });
        Ok((sender, task))
    }

    fn source(&self, reader: &IndexReader) -> ManifestSource {
        let origin = reader.origin().clone();
        ManifestSource {
            cluster_uuid: origin.cluster_uuid,
            elasticsearch: origin.elasticsearch,
            index: origin.index.unwrap_or_default(),
            indices: origin.indices,
            query: origin.query,
            point_in_time: origin.opened_at,
            matched: origin.matched.unwrap_or_default(),
            slices: origin.slices,
            retrieval: origin.retrieval.unwrap_or_default(),
            mapping: origin.mapping.unwrap_or_default(),
        }
    }
}

fn columns(reader: &IndexReader, written: &Schema) -> Vec<ManifestColumn> {
    let types = reader.field_types().iter().map(|(name, field_type)| (name.as_str(), field_type.as_str()));
    let types: std::collections::HashMap<&str, &str> = types.collect();
    written
        .iter()
        .map(|(name, dtype)| ManifestColumn {
            name: name.to_string(),
            elasticsearch: types.get(name.as_str()).copied().unwrap_or_default().to_owned(),
            polars: dtype.to_string(),
            arrow: format!("{:?}", dtype.to_arrow(CompatLevel::oldest())),
        })
        .collect()
}
