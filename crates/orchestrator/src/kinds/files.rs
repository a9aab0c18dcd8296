//! The files of an `ingest` asset: what they hold, and how their rows are divided into
//! partitions. What the definition says of them is held against them in `definition`.

mod definition;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use es_assets::{Outside, Partition, PartitionKey};
use es_bulk::files::{FileIdentity, FilePlace, FileReader, Piece, ReadOptions, same_schema};
use es_bulk::{BatchBuilder, BatchLimits, Checkpoint};
use es_core::Mapping;
use es_frame::{ContentHash, DocumentWriter, VectorForm, WriterOptions, instants};
use jiff::Timestamp;
use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray as _, Schema, SchemaRef};

use super::Subject;
use super::spec::{FileFormat, Ingest};
use crate::error::{Error, Result};
use crate::feed::{self, Outlet, Rows, in_row};
use crate::store::loads::Reached;
use crate::terminal::table::counted;
use definition::{columns, identity, mapping, paths, writer};

/// The files of an asset, looked at but not read.
#[derive(Clone, Debug)]
pub struct Files {
    asset: String,
    paths: Vec<PathBuf>,
    format: Option<es_bulk::files::FileFormat>,
    /// What they look like from outside.
    pub identities: Vec<FileIdentity>,
    schema: SchemaRef,
    /// The number of rows of all files, where the format tells.
    pub rows: Option<u64>,
    columns: Vec<String>,
    /// How rows become documents.
    writer: WriterOptions,
    time: Option<String>,
    /// The mapping of the documents: inferred from the files, declared fields over it.
    pub mapping: Mapping,
    partitions: Option<Vec<Partition>>,
    outside: Outside,
}

/// What files hold, by partition.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Rows of each partition that has any.
    pub rows: BTreeMap<Option<PartitionKey>, u64>,
    /// The content of each partition that has any, if it was looked at.
    pub content: BTreeMap<Option<PartitionKey>, ContentHash>,
    /// Rows whose time is in no declared partition.
    pub outside: u64,
    /// Rows without a time.
    pub without_time: u64,
    /// Where in the files the rows of each partition are.
    spans: BTreeMap<Option<PartitionKey>, Spans>,
}

/// For each file, by its number, where rows are wanted.
type Spans = BTreeMap<usize, Span>;

/// What was found of one part.
#[derive(Clone, Default)]
struct Part {
    rows: u64,
    content: Option<ContentHash>,
    spans: Spans,
}

/// A range of rows of a file, some of which are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the piece begins that the first of them is in.
    from: FilePlace,
    /// The number of the last one, from 1.
    last: u64,
}

impl Survey {
    /// Where in the files the rows of a partition are.
    pub fn spans(&self, partition: Option<&PartitionKey>) -> Option<&Spans> {
        self.spans.get(&partition.cloned())
    }
}

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Rows are counted.
    Rows,
    /// Documents are made of the rows, as a load would, and hashed.
    Content,
}

impl Files {
    /// Finds the files, and checks their columns against the definition. Blocks.
    ///
    /// # Errors
    /// Points into the pipeline file at what does not fit: no file, a missing column.
    pub fn find(subject: &Subject<'_, Ingest>, now: Timestamp) -> Result<Self> {
        let (project, asset, ingest) = (subject.project, subject.name, subject.definition);
        let paths = paths(project, asset, ingest)?;
        let format = ingest.from.format.map(|format| match format {
            FileFormat::Parquet => es_bulk::files::FileFormat::Parquet,
            FileFormat::Csv => es_bulk::files::FileFormat::Csv,
            FileFormat::Ndjson => es_bulk::files::FileFormat::Ndjson,
            FileFormat::Ipc => es_bulk::files::FileFormat::Ipc,
            FileFormat::IpcStream => es_bulk::files::FileFormat::IpcStream,
        });
        let identities = paths.iter().map(|path| identity(project, path)).collect::<Result<_, _>>()?;
        let mut first: Option<FileReader> = None;
        let mut rows = Some(0);
        for path in &paths {
            let reader = FileReader::open(path, &ReadOptions { format, ..ReadOptions::default() })?;
            rows = rows.zip(reader.rows()).map(|(sum, rows)| sum + rows);
            if let Some(first) = &first {
                same_schema((first.path(), first.schema()), (path, reader.schema()))?;
            }
            first.get_or_insert(reader);
        }
        let schema = first.map(|reader| reader.schema().clone()).unwrap_or_default();
        let columns = columns(project, asset, ingest, &schema, &paths[0])?;
        let mapping = mapping(ingest, &schema, &columns)?;
        let partitions = ingest.partitions.as_ref().map(|partitions| partitions.declared(now)).transpose()?;
        Ok(Self {
            asset: asset.to_owned(),
            paths,
            format,
            identities,
            schema,
            rows,
            columns,
            writer: writer(ingest),
            time: ingest.time.clone(),
            mapping,
            partitions,
            outside: ingest.partitions.as_ref().map_or(Outside::Error, |partitions| partitions.outside),
        })
    }

    /// The columns that make up a document's id.
    pub fn id(&self) -> &[String] {
        &self.writer.id
    }

    /// The columns of the files.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads all files once. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub fn survey(&self, depth: Depth) -> Result<Survey> {
        let mut survey = Survey::default();
        if depth == Depth::Rows && self.partitions.is_none() && self.rows.is_some() {
            survey.rows.insert(None, self.rows.unwrap_or(0));
            return Ok(survey);
        }
        let needed = (depth == Depth::Rows).then(|| self.time.iter().cloned().collect::<Vec<_>>());
        let read = self.read_options(needed);
        let mut parts = vec![Part::default(); self.partitions.as_ref().map_or(1, Vec::len)];
        feed::each_piece(&self.paths, None, open(&read), |file, _, piece| {
            self.refuse_lines(&piece)?;
            let file = self.number(file).unwrap_or_default();
            let places = self.places(&piece.frame)?;
            for (row, place) in places.iter().enumerate() {
                match place {
                    Place::In(part) => {
                        let part = &mut parts[*part];
                        let span = part.spans.entry(file).or_insert(Span { from: piece.place, last: 0 });
                        span.last = piece.number(row);
                        part.rows += 1;
                    }
                    Place::Outside => survey.outside += 1,
                    Place::WithoutTime => survey.without_time += 1,
                }
            }
            if depth == Depth::Content {
                self.add_content(&piece, &places, &mut parts)?;
            }
            Ok(true)
        })
        .map_err(|failure| failure.within(&self.asset))?;
        for (number, part) in parts.into_iter().enumerate().filter(|(_, part)| part.rows > 0) {
            let key = self.key(number);
            survey.rows.insert(key.clone(), part.rows);
            survey.content.extend(part.content.map(|content| (key.clone(), content)));
            survey.spans.insert(key, part.spans);
        }
        Ok(survey)
    }

    fn add_content(&self, piece: &Piece, places: &[Place], parts: &mut [Part]) -> Result<()> {
        let frame = self.select(&piece.frame)?;
        let writer = DocumentWriter::with_options(&frame, &self.writer)?;
        let mut builder = BatchBuilder::new(BatchLimits { bytes: 1, documents: 1, ..BatchLimits::default() });
        for (row, place) in places.iter().enumerate() {
            let Place::In(part) = place else { continue };
            let pushed = builder.push_row(&writer, row).map_err(|error| in_row(error, piece.number(row)))?;
            if let Some(document) = pushed {
                parts[*part].content.get_or_insert_default().merge(document.content());
            }
        }
        Ok(())
    }

    /// A line that is no document has no time either, and so no partition that it could be
    /// rejected of.
    fn refuse_lines(&self, piece: &Piece) -> Result<()> {
        match piece.refused.first().filter(|_| self.partitions.is_some()) {
            None => Ok(()),
            Some(line) => {
                let message = format!("line {} is no document: {}", line.row, line.reason);
                let help = "mend the file; without `partitions`, such lines are rejected one by one";
                Err(Error::failed(message).with_help(Some(help)))
            }
        }
    }

    /// Refuses rows that no partition holds, where the definition says that there are none.
    ///
    /// # Errors
    /// Points at the partitions, with how many rows there are.
    pub fn check_places(&self, subject: &Subject<'_, Ingest>, survey: &Survey) -> Result<()> {
        let (outside, without) = (survey.outside, survey.without_time);
        if self.outside == Outside::Skip || outside + without == 0 {
            return Ok(());
        }
        let mut parts = Vec::new();
        if outside > 0 {
            parts.push(format!("no partition holds the time of {} of the files", counted(outside, "row")));
        }
        if without > 0 {
            parts.push(format!("the time is missing in {} of the files", counted(without, "row")));
        }
        let help = "widen `start` and `end`, check `timezone`, or set `outside: skip` to leave them out";
        Err(subject.error_at("partitions", &parts.join(" and "), Some(help)))
    }

    /// Makes the batches of one part and hands them over, from a place on and until
    /// nothing more is wanted. `spans` says where in the files its rows are, if that is known. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub fn batches(
        &self,
        part: Option<&PartitionKey>,
        spans: Option<&Spans>,
        vectors: VectorForm,
        limits: BatchLimits,
        from: &Reached,
        outlet: &Outlet,
    ) -> Result<()> {
        let writer = WriterOptions { vectors, ..self.writer.clone() };
        let read = self.read_options(None);
        let mut builder = BatchBuilder::new(limits).numbered_from(from.documents);
        let from = from.checkpoint.as_ref();
        let number = match (part, &self.partitions) {
            (Some(part), Some(all)) => all.iter().position(|partition| partition.key == *part),
            _ => Some(0),
        };
        let is_wanted = |place: &Place| matches!(place, Place::In(place) if Some(*place) == number);
        for (number, path) in self.paths.iter().enumerate() {
            let is_settled = from.is_some_and(|from| self.number(&from.file).is_some_and(|first| number < first));
            let span = spans.map(|spans| spans.get(&number).copied());
            if is_settled || span == Some(None) {
                continue;
            }
            let span = span.flatten();
            // What is settled of the file lies further ahead than where its rows begin.
            let begin = from.filter(|from| self.number(&from.file) == Some(number)).cloned();
            let begin = begin.or_else(|| {
                span.map(|span| Checkpoint { file: feed::label(path), place: span.from, row: span.from.rows })
            });
            let mut is_done = false;
            let path = std::slice::from_ref(path);
            let wanted = feed::each_piece(path, begin.as_ref(), open(&read), |file, settled, piece| {
                self.refuse_lines(&piece)?;
                let places = self.places(&piece.frame)?;
                let numbers: Vec<u64> =
                    (0..places.len()).filter(|row| is_wanted(&places[*row])).map(|row| piece.number(row)).collect();
                let mask = BooleanChunked::from_iter_values("".into(), places.iter().map(is_wanted));
                let mut frame = self.select(&piece.frame)?;
                if !mask.all() {
                    frame = frame.filter(&mask).map_err(es_bulk::Error::from)?;
                    frame.rechunk_mut();
                }
                let last = piece.number(places.len().saturating_sub(1));
                is_done = span.is_some_and(|span| last >= span.last);
                let rows = Rows { file, place: piece.place, numbers: &numbers, settled, refused: &piece.refused };
                Ok(feed::push_rows(&mut builder, &frame, &writer, &rows, outlet)? && !is_done)
            })
            .map_err(|failure| failure.within(&self.asset))?;
            if !wanted && !is_done {
                return Ok(());
            }
        }
        if let Some(last) = builder.finish() {
            outlet.take(last);
        }
        Ok(())
    }

    /// The number of a file by its label.
    fn number(&self, file: &str) -> Option<usize> {
        self.paths.iter().position(|path| *feed::label(path) == *file)
    }

    fn read_options(&self, columns: Option<Vec<String>>) -> ReadOptions {
        ReadOptions { format: self.format, columns, ..ReadOptions::default() }
    }

    fn select(&self, frame: &DataFrame) -> Result<DataFrame> {
        Ok(frame.select(self.columns.iter().map(String::as_str)).map_err(es_bulk::Error::from)?)
    }

    /// Which part each row belongs to.
    fn places(&self, frame: &DataFrame) -> Result<Vec<Place>> {
        let (Some(partitions), Some(time)) = (&self.partitions, &self.time) else {
            return Ok(vec![Place::In(0); frame.height()]);
        };
        let column = frame.column(time).map_err(es_bulk::Error::from)?;
        let of = |instant: Option<i64>| match instant {
            None => Place::WithoutTime,
            Some(instant) => {
                let after = partitions.partition_point(|partition| partition.start.as_millisecond() <= instant);
                match after.checked_sub(1).filter(|at| instant < partitions[*at].end.as_millisecond()) {
                    Some(at) => Place::In(at),
                    None => Place::Outside,
                }
            }
        };
        Ok(instants(column)?.into_iter().map(of).collect())
    }

    fn key(&self, part: usize) -> Option<PartitionKey> {
        self.partitions.as_ref().and_then(|partitions| partitions.get(part)).map(|partition| partition.key.clone())
    }
}

fn open(read: &ReadOptions) -> impl Fn(&Path) -> Result<FileReader, es_bulk::Error> {
    move |path| FileReader::open(path, read)
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the partition of this number; the only part is 0.
    In(usize),
    Outside,
    WithoutTime,
}
