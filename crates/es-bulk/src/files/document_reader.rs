//! Files as batches of documents: all rows, one part of them, or several parts in one pass.

use std::path::Path;
use std::sync::Arc;

use es_frame::WriterOptions;
use polars::prelude::DataFrame;

use super::block::Block;
use super::division::{PartOfRow, TimeDivision};
use super::documents::DocumentOptions;
use super::encoder::within;
use super::format::FileFormat;
use super::options::ReadOptions;
use super::pass::{Output, Pass};
use super::raw_lines::RawOptions;
use super::scan::Spans;
use super::source::{FileInput, Source};
use super::stream::{BatchStream, read_in_thread};
use crate::batch::{BatchLimits, Checkpoint};
use crate::error::{Error, ErrorKind};

/// Batches of all documents of files. They are read by a thread, which stops when the stream is
/// dropped; lines that are not documents are in the batches as refused rows, so that a load accounts
/// for every line.
///
/// ```no_run
/// use es_bulk::{BatchLimits, BulkLoader, BulkOptions, files};
/// use es_frame::WriterOptions;
///
/// # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let writer = WriterOptions { id: vec!["carrier".into(), "flight".into()], ..WriterOptions::default() };
/// let paths = files::expand(&["data/flights-*.parquet"])?;
/// let batches = files::batches(paths, files::ReadOptions::default(), writer, BatchLimits::default());
/// let summary = BulkLoader::new(client, "flights", BulkOptions::default()).load(batches).await?;
/// assert!(summary.adds_up());
/// # Ok(())
/// # }
/// ```
pub fn batches(
    input: impl Into<FileInput>,
    read: ReadOptions,
    writer: WriterOptions,
    limits: BatchLimits,
) -> BatchStream {
    let input = input.into();
    let options = DocumentOptions { writer, ..DocumentOptions::default() };
    let mut streams = read_in_thread(1, move |outputs| {
        let reader = DocumentReader::new(Source::open(input, &read)?, &options)?.with_limits(limits);
        let outputs = outputs.into_iter().map(|output| Output::new(&reader, output, PartRequest::default()));
        Pass::new(&reader, outputs.collect()).run()
    });
    streams.remove(0)
}

/// Reads a source as documents.
///
/// ```no_run
/// use es_bulk::files::{DocumentOptions, DocumentReader, PartRequest, ReadOptions, ScanMode, Source, TimeDivision};
/// use tokio_util::sync::CancellationToken;
///
/// # fn example() -> Result<(), es_bulk::Error> {
/// let source = Source::open(std::path::PathBuf::from("flights.parquet"), &ReadOptions::default())?;
/// let division = TimeDivision::new("time_hour", vec![0..1_000, 1_000..2_000]);
/// let reader = DocumentReader::new(source, &DocumentOptions::default())?.with_division(division);
/// if let Some(scan) = reader.scan(ScanMode::Rows, &CancellationToken::new())? {
///     let spans = scan.parts[1].spans.clone();
///     let batches = reader.stream(PartRequest { part: 1, spans, ..PartRequest::default() });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DocumentReader {
    pub(crate) source: Arc<Source>,
    pub(crate) options: DocumentOptions,
    /// The columns of a table that become fields.
    columns: Option<Vec<String>>,
    pub(crate) division: Option<TimeDivision>,
    pub(crate) limits: BatchLimits,
}

/// Rows to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartRequest {
    /// The part, by its number in the division; 0 where rows are not divided.
    pub part: usize,
    /// The places of its rows, as a scan found them, so that no others are read.
    pub spans: Option<Spans>,
    /// The point that an earlier process reached.
    pub from: StartPoint,
}

/// A point to continue from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartPoint {
    /// Everything up to here is settled; without it, nothing is.
    pub checkpoint: Option<Checkpoint>,
    /// The number of documents before.
    pub documents: u64,
}

impl DocumentReader {
    /// A reader of all rows, in batches of the default size.
    ///
    /// # Errors
    /// The [`ColumnError`](super::ColumnError) when options and columns do not fit together.
    pub fn new(source: impl Into<Arc<Source>>, options: &DocumentOptions) -> Result<Self, Error> {
        let source = source.into();
        let columns = source.schema().map(|schema| options.columns(schema)).transpose()?;
        Ok(Self { source, options: options.clone(), columns, division: None, limits: BatchLimits::default() })
    }

    /// Divides the rows.
    #[must_use]
    pub fn with_division(mut self, division: TimeDivision) -> Self {
        self.division = Some(division);
        self
    }

    /// Sets the size of batches.
    #[must_use]
    pub fn with_limits(mut self, limits: BatchLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The batches of one part, or of all rows where they are not divided. A thread begins to read at
    /// once.
    pub fn stream(&self, request: PartRequest) -> BatchStream {
        self.streams(vec![request]).remove(0)
    }

    /// The batches of several parts, read in one pass over the files.
    ///
    /// The streams wait for each other: one that is neither polled nor dropped holds up all of them
    /// once a batch of it is full. So load all parts at the same time. Each part has up to two batches
    /// in memory before they are sent.
    pub fn streams(&self, requests: Vec<PartRequest>) -> Vec<BatchStream> {
        let reader = self.clone();
        read_in_thread(requests.len(), move |outputs| {
            let outputs = outputs.into_iter().zip(requests);
            let outputs = outputs.map(|(output, request)| Output::new(&reader, output, request)).collect();
            Pass::new(&reader, outputs).run()
        })
    }

    /// The options of opening files that are loaded.
    pub(crate) fn load_options(&self) -> RawOptions {
        let time = self.division.as_ref().map(TimeDivision::field);
        let columns = self.columns.as_ref().map(|columns| {
            let is_new = |name: &&str| !columns.iter().any(|column| column == name);
            columns.iter().cloned().chain(time.filter(is_new).map(str::to_owned)).collect()
        });
        let writer = &self.options.writer;
        RawOptions {
            id: writer.id.clone(),
            routing: writer.routing.clone(),
            version: writer.version.clone(),
            fields: time.map(str::to_owned).into_iter().collect(),
            read: ReadOptions { columns, ..self.source.read_options().clone() },
        }
    }

    /// The options of opening files whose rows are counted: as little as possible is read.
    pub(crate) fn count_options(&self) -> RawOptions {
        let load = self.load_options();
        let read = ReadOptions { columns: Some(load.fields.clone()), ..load.read };
        RawOptions { read, ..load }
    }

    /// The columns of a table that become fields.
    pub(crate) fn selected(&self, block: &Block) -> Result<Option<DataFrame>, Error> {
        match (block, &self.columns) {
            (Block::Rows(piece), Some(columns)) => Ok(Some(piece.frame.select(columns.iter().map(String::as_str))?)),
            _ => Ok(None),
        }
    }

    /// The part of each row of a block; `None` where rows are not divided.
    ///
    /// # Errors
    /// When a time cannot be read, and for a line that is not a document.
    pub(crate) fn parts_of(&self, block: &Block) -> Result<Option<Vec<PartOfRow>>, Error> {
        let Some(division) = &self.division else { return Ok(None) };
        if let Some(line) = block.refused().first() {
            let what = if self.source.format() == FileFormat::Json { "value" } else { "line" };
            let message = format!("{what} {} is not a document: {}", line.row, line.reason);
            return Err(Error::new(ErrorKind::Row, message)
                .with_help("fix the file; only those of files that are not divided by time are rejected one by one"));
        }
        division.parts_of(block).map(Some)
    }
}

/// The name of a file in checkpoints, dead letters and messages.
pub(crate) fn label(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// An error about a file.
pub(crate) fn in_file(error: Error, file: &str) -> Error {
    within(error, file)
}
