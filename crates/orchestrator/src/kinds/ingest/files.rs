//! The files of an `ingest` asset: found, held against the definition, and read as far as a plan
//! needs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use es_assets::{Inputs, Outside, Partition, PartitionKey};
use es_bulk::Remedy;
use es_bulk::files::{
    ColumnError, ColumnRole, DocumentOptions, DocumentReader, FileIdentity, FileInput, FileScan, ReadOptions, ScanMode,
    Source, Spans, TimeDivision,
};
use es_core::Mapping;
use es_frame::VectorForm;

use super::Ingest;
use crate::error::{Error, Result};
use crate::kinds::{Preparation, Subject, version_of};
use crate::terminal::table::counted;

/// The files of an asset, opened and held against the definition.
pub(super) struct Files {
    reader: DocumentReader,
    mapping: Mapping,
    notes: Vec<String>,
    partitions: Option<Vec<Partition>>,
}

/// The files of an asset, read as far as a plan needs it.
pub(super) struct Inspected {
    files: Files,
    scan: Option<FileScan>,
    /// The versions that are recorded with what is published, where the files look as they did.
    recorded: BTreeMap<Option<PartitionKey>, Inputs>,
}

impl Files {
    /// Finds the files, and holds their columns against the definition.
    pub(super) async fn open(asset: &Subject<'_, Ingest>, around: &Preparation<'_>) -> Result<Self> {
        let paths = find(asset)?;
        let mut options = asset.definition.documents()?;
        options.writer.vectors = VectorForm::best_for(around.client.info().version);
        let from = &asset.definition.from;
        let read = ReadOptions {
            format: from.format,
            csv: from.csv.clone(),
            records: from.records.clone(),
            leave_out: asset.definition.leave_out.clone(),
            ..ReadOptions::default()
        }
        .with_mapping(&options.mapping, options.time.as_deref());
        let (first, folder) = (paths[0].clone(), asset.project.folder.clone());
        let task = tokio::task::spawn_blocking({
            let options = options.clone();
            move || {
                let name = |path: &Path| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
                let source = Source::open(FileInput::Files(paths), &read)?.with_names(name);
                let columns = source.schema().map(|schema| options.columns(schema));
                if let Some(Err(error)) = columns {
                    return Ok(Err(error));
                }
                let (mapping, inferred) = options.inferred(&source)?;
                let notes = [source.notes(), &inferred].concat();
                Ok::<_, es_bulk::Error>(Ok((source, mapping, notes)))
            }
        });
        let opened =
            task.await.map_err(|error| Error::defect(&format!("opening the files of {}", asset.name), &error))?;
        let (source, mapping, notes) =
            opened.map_err(|error| explained(asset, error))?.map_err(|error| misfit(asset, &first, error))?;
        let partitions = match &asset.definition.partitions {
            Some(partitions) => Some(partitions.declared(around.now)?),
            None => None,
        };
        let reader = reader(source, &options, asset.definition.time.as_deref(), partitions.as_deref())?;
        Ok(Self { reader, mapping, notes, partitions })
    }

    /// Reads the files, unless they look as they did when they were loaded.
    pub(super) async fn inspect(self, asset: &Subject<'_, Ingest>, around: &Preparation<'_>) -> Result<Inspected> {
        let known = around.published.iter().filter_map(|generation| {
            let complete = generation.meta.complete.as_ref()?;
            Some((generation.meta.partition.clone(), complete))
        });
        let recorded: BTreeMap<_, _> = known.clone().map(|(part, complete)| (part, complete.inputs.clone())).collect();
        let identities = self.reader.source().identities();
        let looks_the_same = known.clone().all(|(_, complete)| complete.files == identities);
        let all_published = self.declared().iter().all(|part| recorded.contains_key(part));
        if all_published && looks_the_same {
            return Ok(Inspected { files: self, scan: None, recorded });
        }
        // Where the definition itself has changed, or nothing is published, everything is built again
        // whatever the files hold, and counting the rows is enough.
        let is_known = around
            .published
            .iter()
            .any(|generation| around.fingerprint.changes_since(&generation.meta.fingerprint).rebuild.is_empty());
        let mode = if looks_the_same || !is_known { ScanMode::Rows } else { ScanMode::Content };
        let (reader, cancel) = (self.reader.clone(), around.cancel.clone());
        let scanned = tokio::task::spawn_blocking(move || reader.scan(mode, &cancel)).await;
        let scanned =
            scanned.map_err(|error| Error::defect(&format!("reading the files of {}", asset.name), &error))?;
        let scan = scanned.map_err(|error| Error::from(error).within(asset.name))?;
        let Some(scan) = scan else { return Err(Error::interrupted_early()) };
        check_places(asset, &scan)?;
        let recorded = if mode == ScanMode::Rows { recorded } else { BTreeMap::new() };
        Ok(Inspected { files: self, scan: Some(scan), recorded })
    }

    /// The parts of the asset, in the order of their numbers.
    fn declared(&self) -> Vec<Option<PartitionKey>> {
        match &self.partitions {
            Some(partitions) => partitions.iter().map(|partition| Some(partition.key.clone())).collect(),
            None => vec![None],
        }
    }
}

impl Inspected {
    pub(super) fn mapping(&self) -> &Mapping {
        &self.files.mapping
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.files.notes
    }

    pub(super) fn identities(&self) -> &[FileIdentity] {
        self.files.reader.source().identities()
    }

    pub(super) fn reader(&self) -> &DocumentReader {
        &self.files.reader
    }

    /// The rows of each part, where they were counted.
    pub(super) fn rows(&self) -> Option<BTreeMap<Option<PartitionKey>, u64>> {
        let scan = self.scan.as_ref()?;
        Some(self.files.declared().into_iter().zip(&scan.parts).map(|(part, scan)| (part, scan.rows)).collect())
    }

    /// The versions of the files, by part: of the content that was read, or those that are recorded.
    pub(super) fn versions(&self, input: &str) -> BTreeMap<Option<PartitionKey>, Inputs> {
        let mut versions = self.recorded.clone();
        if let Some(scan) = &self.scan {
            for (part, scan) in self.files.declared().into_iter().zip(&scan.parts) {
                if let Some(content) = scan.content {
                    versions.insert(part, version_of(input, &content.to_string()));
                }
            }
        }
        versions
    }

    /// The number of a part, and where its rows are, if that is known.
    pub(super) fn part(&self, partition: Option<&PartitionKey>) -> (usize, Option<Spans>) {
        let number = self.files.declared().iter().position(|part| part.as_ref() == partition).unwrap_or(0);
        let spans = self.scan.as_ref().and_then(|scan| scan.parts.get(number)?.spans.clone());
        (number, spans)
    }
}

fn reader(
    source: Source,
    options: &DocumentOptions,
    time: Option<&str>,
    partitions: Option<&[Partition]>,
) -> Result<DocumentReader> {
    let reader = DocumentReader::new(Arc::new(source), options)?;
    Ok(match (time, partitions) {
        (Some(time), Some(partitions)) => {
            let range = |one: &Partition| one.start.as_millisecond()..one.end.as_millisecond();
            reader.with_division(TimeDivision::new(time, partitions.iter().map(range).collect()))
        }
        _ => reader,
    })
}

fn find(asset: &Subject<'_, Ingest>) -> Result<Vec<PathBuf>> {
    let written = &asset.definition.from.path;
    let pattern = asset.project.path(written);
    let matches = glob::glob(&pattern.to_string_lossy())
        .map_err(|error| asset.error_at("from.path", &format!("`{written}` is not a pattern: {error}"), None))?;
    let mut paths = Vec::new();
    for found in matches {
        paths.push(found.map_err(|error| {
            asset.error_at("from.path", &format!("a folder cannot be read: {error}"), Some("check who may read it"))
        })?);
    }
    paths.sort();
    if paths.is_empty() {
        let help = nearest_file(&pattern).map_or_else(
            || format!("paths start at {}", asset.project.folder.display()),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(asset.error_at("from.path", &format!("there is no file `{written}`"), Some(&help)));
    }
    Ok(paths)
}

/// A file of the same folder with a similar name.
fn nearest_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::read_dir(folder).ok()?;
    let names: Vec<String> = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    es_values::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Files that do not fit the definition, with the key that would make them fit.
fn explained(asset: &Subject<'_, Ingest>, error: es_bulk::Error) -> Error {
    let (key, help) = match error.remedy() {
        Some(Remedy::Format(format)) => ("from", format!("add `format: {format}` to `from`")),
        Some(Remedy::Metadata(field)) => ("id", metadata_help(field)),
        _ => return Error::from(error).within(asset.name),
    };
    asset.error_at(key, &error.to_string(), Some(&help))
}

fn metadata_help(field: &str) -> String {
    match field {
        "_id" => "with `id: [_id]` it is the id of the document, and no field".to_owned(),
        "_routing" => "with `routing: _routing` it is the routing of the document, and no field".to_owned(),
        _ => "rename it, or leave it out of the files".to_owned(),
    }
}

/// Columns that do not fit the definition, at the key that names them.
fn misfit(asset: &Subject<'_, Ingest>, file: &Path, error: ColumnError) -> Error {
    let file = file.strip_prefix(&asset.project.folder).unwrap_or(file).display();
    let key = match error.role {
        Some(ColumnRole::Id(index)) => format!("id[{index}]"),
        Some(ColumnRole::Time) => "time".to_owned(),
        Some(ColumnRole::Routing) => "routing".to_owned(),
        Some(ColumnRole::Version) | None => "undeclared".to_owned(),
    };
    match error.role {
        Some(_) => {
            let message = format!("{file} has no column `{}`", error.column);
            asset.error_at(&key, &message, Some(&error.help))
        }
        None if error.is_metadata => {
            let key = if error.column == "_routing" { "routing" } else { "id" };
            asset.error_at(key, &error.message, Some(&metadata_help(&error.column)))
        }
        None => {
            let message = format!("column `{}` is in the files and not in the mappings", error.column);
            let help = "declare it in `index.mappings.properties`, or set `undeclared` to infer or ignore";
            asset.error_at(&key, &message, Some(help))
        }
    }
}

/// Refuses rows that no partition holds, where the definition says that there are none.
fn check_places(asset: &Subject<'_, Ingest>, scan: &FileScan) -> Result<()> {
    let outside = asset.definition.partitions.as_ref().map_or(Outside::Error, |partitions| partitions.outside);
    if outside == Outside::Skip || scan.outside + scan.without_time == 0 {
        return Ok(());
    }
    let mut parts = Vec::new();
    if scan.outside > 0 {
        parts.push(format!("no partition holds the time of {} of the files", counted(scan.outside, "row")));
    }
    if scan.without_time > 0 {
        parts.push(format!("the time is missing in {} of the files", counted(scan.without_time, "row")));
    }
    let help = "widen `start` and `end`, check `timezone`, or set `outside: skip` to leave them out";
    Err(asset.error_at("partitions", &parts.join(" and "), Some(help)))
}
