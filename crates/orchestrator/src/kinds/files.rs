//! The files of an `ingest` asset: which they are, what they hold, and how their rows are
//! divided into partitions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use es_assets::{FileFormat, Ingest, Outside, Partition, PartitionKey, Undeclared};
use es_bulk::files::{FileReader, same_schema};
use es_bulk::{Batch, BatchBuilder, BatchLimits};
use es_core::Mapping;
use es_frame::{ContentHash, DocumentWriter, infer_mapping, instants};
use jiff::Timestamp;
use polars::prelude::{BooleanChunked, DataFrame, DataType, NewChunkedArray as _, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::project::Project;

/// What a file looks like from outside. While that stays the same, so does its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The path as the pipeline names it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last modified, in UTC.
    pub modified: Timestamp,
}

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
    id: Vec<String>,
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
    pub fn find(project: &Project, asset: &str, ingest: &Ingest, now: Timestamp) -> Result<Self, Failure> {
        let paths = paths(project, asset, ingest)?;
        let format = ingest.from.format.map(|format| match format {
            FileFormat::Parquet => es_bulk::files::FileFormat::Parquet,
            FileFormat::Csv => es_bulk::files::FileFormat::Csv,
            FileFormat::Ndjson => es_bulk::files::FileFormat::Ndjson,
            FileFormat::Ipc => es_bulk::files::FileFormat::Ipc,
        });
        let identities = paths.iter().map(|path| identity(project, path)).collect::<Result<_, _>>()?;
        let mut first: Option<FileReader> = None;
        let mut rows = Some(0);
        for path in &paths {
            let reader = FileReader::open(path, format)?;
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
            id: ingest.id.clone().unwrap_or_default(),
            time: ingest.time.clone(),
            mapping,
            partitions,
            outside: ingest.partitions.as_ref().map_or(Outside::Error, |partitions| partitions.outside),
        })
    }

    /// The columns that make up a document's id.
    pub fn id(&self) -> &[String] {
        &self.id
    }

    /// The columns of the files.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads all files once. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub fn survey(&self, depth: Depth) -> Result<Survey, Failure> {
        let mut survey = Survey::default();
        if depth == Depth::Rows && self.partitions.is_none() && self.rows.is_some() {
            survey.rows.insert(None, self.rows.unwrap_or(0));
            return Ok(survey);
        }
        let needed = (depth == Depth::Rows).then(|| self.time.iter().cloned().collect::<Vec<_>>());
        self.each_frame(needed.as_deref(), |frame, first_row| {
            let places = self.places(&frame)?;
            for place in &places {
                match place {
                    Place::In(part) => *survey.rows.entry(self.key(*part)).or_default() += 1,
                    Place::Outside => survey.outside += 1,
                    Place::WithoutTime => survey.without_time += 1,
                }
            }
            if depth == Depth::Content {
                self.add_content(&frame, first_row, &places, &mut survey)?;
            }
            Ok(true)
        })?;
        Ok(survey)
    }

    fn add_content(
        &self,
        frame: &DataFrame,
        first_row: u64,
        places: &[Place],
        survey: &mut Survey,
    ) -> Result<(), Failure> {
        let frame = self.select(frame)?;
        let writer = DocumentWriter::new(&frame, &self.id)?;
        let mut builder = BatchBuilder::new(BatchLimits { bytes: 1, documents: 1, ..BatchLimits::default() });
        for (row, place) in places.iter().enumerate() {
            let Place::In(part) = place else { continue };
            let pushed = builder.push_row(&writer, row).map_err(|error| in_row(error, first_row + row as u64))?;
            if let Some(document) = pushed {
                survey.content.entry(self.key(*part)).or_default().merge(document.content());
            }
        }
        Ok(())
    }

    /// Refuses rows that no partition holds, where the definition says that there are none.
    ///
    /// # Errors
    /// Points at the partitions, with how many rows there are.
    pub fn check_places(&self, project: &Project, survey: &Survey) -> Result<(), Failure> {
        let (outside, without) = (survey.outside, survey.without_time);
        if self.outside == Outside::Skip || outside + without == 0 {
            return Ok(());
        }
        let mut parts = Vec::new();
        if outside > 0 {
            parts.push(format!("{outside} rows of the files have a time that is in no partition"));
        }
        if without > 0 {
            parts.push(format!("{without} rows of the files have no time"));
        }
        Err(project
            .pipeline
            .diagnose(
                &format!("assets.{}.partitions", self.asset),
                &parts.join(" and "),
                Some("widen `start` and `end`, check `timezone`, or set `outside: skip` to leave them out"),
            )
            .into())
    }

    /// Makes the batches of one part and hands them over, until `take` wants no more. Blocks.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub fn batches(
        &self,
        part: Option<&PartitionKey>,
        limits: BatchLimits,
        mut take: impl FnMut(Batch) -> bool,
    ) -> Result<(), Failure> {
        let mut builder = BatchBuilder::new(limits);
        let mut wanted = true;
        self.each_frame(None, |frame, first_row| {
            let places = self.places(&frame)?;
            let is_wanted = |place: &Place| matches!(place, Place::In(place) if self.key(*place).as_ref() == part);
            let numbers: Vec<u64> =
                (first_row..).zip(&places).filter(|(_, place)| is_wanted(place)).map(|(number, _)| number).collect();
            let mask = BooleanChunked::from_iter_values("".into(), places.iter().map(is_wanted));
            if !mask.any() {
                return Ok(true);
            }
            let mut rows = self.select(&frame)?;
            if !mask.all() {
                rows = rows.filter(&mask).map_err(es_bulk::Error::from)?;
            }
            rows.rechunk_mut();
            let writer = DocumentWriter::new(&rows, &self.id)?;
            for (row, number) in numbers.into_iter().enumerate() {
                if let Some(batch) = builder.push_row(&writer, row).map_err(|error| in_row(error, number))? {
                    wanted = take(batch);
                    if !wanted {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        })?;
        if let Some(last) = builder.finish().filter(|_| wanted) {
            take(last);
        }
        Ok(())
    }

    /// Reads frame by frame until `visit`, which is told the number of the frame's first row
    /// in its file, says that it is enough.
    fn each_frame(
        &self,
        columns: Option<&[String]>,
        mut visit: impl FnMut(DataFrame, u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        for path in &self.paths {
            let mut reader = FileReader::open(path, self.format)?;
            if let Some(columns) = columns {
                reader.project(columns);
            }
            let mut first_row = 1;
            while let Some(frame) = reader.next_frame(es_bulk::files::DEFAULT_ROWS)? {
                let context = || format!("{}, {}", self.asset, path.display());
                let rows = frame.height() as u64;
                if !visit(frame, first_row).map_err(|failure| failure.within(&context()))? {
                    return Ok(());
                }
                first_row += rows;
            }
        }
        Ok(())
    }

    fn select(&self, frame: &DataFrame) -> Result<DataFrame, Failure> {
        Ok(frame.select(self.columns.iter().map(String::as_str)).map_err(es_bulk::Error::from)?)
    }

    /// Which part each row belongs to.
    fn places(&self, frame: &DataFrame) -> Result<Vec<Place>, Failure> {
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

/// The error of a row, which is counted from 1.
fn in_row(error: es_bulk::Error, number: u64) -> Failure {
    Failure::from(error).within(&format!("row {number}"))
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the partition of this number; the only part is 0.
    In(usize),
    Outside,
    WithoutTime,
}

fn paths(project: &Project, asset: &str, ingest: &Ingest) -> Result<Vec<PathBuf>, Failure> {
    let key = format!("assets.{asset}.from.path");
    let pattern = project.path(&ingest.from.path);
    let text = pattern.to_string_lossy();
    let wrong = |message: String, hint: &str| project.pipeline.diagnose(&key, &message, Some(hint)).into();
    let matches =
        glob::glob(&text).map_err(|error| wrong(format!("`{}` is no pattern: {error}", ingest.from.path), ""))?;
    let mut paths = Vec::new();
    for found in matches {
        paths.push(found.map_err(|error| wrong(format!("a folder cannot be read: {error}"), "check who may read it"))?);
    }
    paths.sort();
    if paths.is_empty() {
        let hint = nearest_file(&pattern).map_or_else(
            || format!("paths start at {}", project.folder.display()),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(wrong(format!("there is no file `{}`", ingest.from.path), &hint));
    }
    Ok(paths)
}

/// A file of the same folder with a similar name.
fn nearest_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::read_dir(folder).ok()?;
    let names: Vec<String> = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    es_assets::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

fn identity(project: &Project, path: &Path) -> Result<FileIdentity, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("{} cannot be looked at: {error}", path.display()))
    };
    let metadata = std::fs::metadata(path).map_err(|error| wrong(&error))?;
    let modified = metadata.modified().map_err(|error| wrong(&error))?;
    let modified = Timestamp::try_from(modified).map_err(|error| wrong(&error))?;
    let path = path.strip_prefix(&project.folder).unwrap_or(path).display().to_string();
    Ok(FileIdentity { path, bytes: metadata.len(), modified })
}

/// The columns that become fields, and whether those that the definition names are there.
fn columns(
    project: &Project,
    asset: &str,
    ingest: &Ingest,
    schema: &Schema,
    file: &Path,
) -> Result<Vec<String>, Failure> {
    let present: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let require = |name: &str, key: String| -> Result<(), Failure> {
        if schema.contains(name) {
            return Ok(());
        }
        let file = file.strip_prefix(&project.folder).unwrap_or(file).display();
        let hint = match es_assets::nearest(name, present.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its columns are {}", present.join(", ")),
        };
        Err(project.pipeline.diagnose(&key, &format!("{file} has no column `{name}`"), Some(&hint)).into())
    };
    for (place, name) in ingest.id.iter().flatten().enumerate() {
        require(name, format!("assets.{asset}.id[{place}]"))?;
    }
    if let Some(time) = &ingest.time {
        require(time, format!("assets.{asset}.time"))?;
    }
    let declared = |name: &str| {
        ingest
            .index
            .mappings
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|fields| fields.contains_key(name))
    };
    let named =
        |name: &str| ingest.time.as_deref() == Some(name) || ingest.id.iter().flatten().any(|column| column == name);
    match ingest.undeclared {
        Undeclared::Infer => Ok(present.into_iter().map(str::to_owned).collect()),
        Undeclared::Ignore => {
            Ok(present.into_iter().filter(|name| declared(name) || named(name)).map(str::to_owned).collect())
        }
        Undeclared::Reject => match present.iter().find(|name| !declared(name)) {
            None => Ok(present.into_iter().map(str::to_owned).collect()),
            Some(name) => {
                let message = format!("column `{name}` is in the files and not in the mappings");
                let hint = "declare it in `index.mappings.properties`, or set `undeclared` to infer or ignore";
                Err(project.pipeline.diagnose(&format!("assets.{asset}.undeclared"), &message, Some(hint)).into())
            }
        },
    }
}

/// The mapping of the documents. Fields that are neither in the files nor declared are
/// refused by the server, unless the definition sets `dynamic` itself.
fn mapping(ingest: &Ingest, schema: &Schema, columns: &[String]) -> Result<Mapping, Failure> {
    let used: Schema = columns
        .iter()
        .filter_map(|name| schema.get_full(name).map(|(_, name, dtype)| (name.clone(), dtype.clone())))
        .collect();
    let mut inferred = infer_mapping(&used)?;
    if let Some(time) = ingest.time.as_ref().filter(|time| !matches!(used.get(time), Some(DataType::Datetime(..)))) {
        inferred.properties.insert(time.clone(), json!({"type": "date"}));
    }
    inferred.parameters.insert("dynamic".to_owned(), json!("strict"));
    let declared: Mapping = serde_json::from_value(Value::Object(ingest.index.mappings.clone()))
        .map_err(|error| Failure::usage(format!("the mappings cannot be read: {error}")))?;
    Ok(inferred.overridden_by(&declared))
}
