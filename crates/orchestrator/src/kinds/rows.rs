//! Rows between assets: the documents of an asset as a file for a program of this machine, and the
//! rows of such a file as the documents of an asset.
//!
//! Kinds that make their rows themselves ([`sql`](super::sql), [`command`](super::command)) share
//! this. What becomes of a finished file that is not to be an index is [`folder`](super::folder)'s.

use std::path::{Path, PathBuf};

use es_assets::{Inputs, KeyPath, Parts, Report};
use es_bulk::files::{
    ColumnRole, DocumentOptions, DocumentReader, FileFormat, MappingBasis, PartRequest, ReadOptions, Source,
};
use es_export::{ColumnRequest, FileOptions, ReadRequest, Search, Spool, Spooled};
use es_frame::{VectorForm, WriterOptions};
use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use super::checks::{self, Check};
use super::export::report_export;
use super::index::{self, IndexRequest, IndexSpec};
use super::{Built, Subject, Work};
use crate::error::{Error, Result};

/// The keys of an asset whose rows become the documents of an index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Documents {
    /// The columns that make up a document's id, so that the same row is the same document. Without
    /// them Elasticsearch gives ids.
    #[schemars(with = "Option<FieldNames>")]
    pub id: Option<Vec<String>>,
    /// The column that holds a row's time.
    #[schemars(extend("format" = "text"))]
    pub time: Option<String>,
    /// The settings and mappings of the index.
    #[serde(default)]
    pub index: IndexSpec,
    /// The conditions that must hold before readers see the documents.
    #[serde(default)]
    pub checks: Vec<Check>,
}

impl Documents {
    /// Reports what the schema does not express.
    pub fn validate(&self, path: &KeyPath, report: &mut Report<'_>) {
        self.index.validate(&path.key("index"), report);
        checks::validate(&self.checks, &path.key("checks"), report);
    }

    /// Reports the keys that are set of an asset that writes files instead. `writes` names these, and
    /// `otherwise` is the alternative to removing the key.
    pub fn refuse(&self, writes: &str, otherwise: &str, path: &KeyPath, report: &mut Report<'_>) {
        let keys = [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("index", self.index != IndexSpec::default()),
            ("checks", !self.checks.is_empty()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
            let message = format!("`{key}` is a key of an index, and this asset writes {writes}");
            report.invalid(&path.key(key), message, format!("remove `{key}`{otherwise}"));
        }
    }

    /// Adds the parts that affect the index to a fingerprint.
    pub fn fingerprint(&self, parts: &mut Parts) {
        parts.add("id", &self.id);
        parts.add("time", &self.time);
        self.index.fingerprint(parts);
        parts.add_checks(&self.checks);
    }

    fn options(&self) -> Result<DocumentOptions> {
        let mapping = self.index.mapping();
        let mapping = mapping.map_err(|error| Error::config(format!("the mappings cannot be read: {error}")))?;
        let writer = WriterOptions { id: self.id.clone().unwrap_or_default(), ..WriterOptions::default() };
        let basis = MappingBasis::Types;
        Ok(DocumentOptions { writer, time: self.time.clone(), mapping, basis, ..DocumentOptions::default() })
    }
}

/// Reads the documents of another asset into a file of this machine.
///
/// # Errors
/// When there are no such documents, or they cannot be read or written.
pub async fn spool(
    work: &Work<'_>,
    asset: &str,
    columns: ColumnRequest,
    query: Option<&Value>,
    file: &Path,
    format: impl Into<FileOptions>,
) -> Result<Spooled> {
    let mut search = Search { columns, ..Search::new(work.index_of(asset)?) };
    if let Some(query) = query {
        search.query = query.clone();
    }
    let mut request = ReadRequest::from(search);
    request.options = work.project.settings.export.read;
    let spool = Spool::new(request, file).with_format(format).with_cancellation(work.cancel.clone());
    let spool = spool.with_observer(report_export(work.progress.clone()));
    spool.run(work.client).await.map_err(|error| Error::from(error).within(asset))
}

/// Makes the rows of a local file the documents of a new generation. `inputs` are the versions of
/// what the rows were made of, taken before it was read.
///
/// # Errors
/// When the file cannot be read or has no column that the definition names, and as
/// [`index::write`].
pub async fn load<D: Sync>(
    asset: &Subject<'_, D>,
    work: &Work<'_>,
    documents: &Documents,
    file: PathBuf,
    format: FileFormat,
    inputs: Inputs,
) -> Result<Built> {
    let mut options = documents.options()?;
    options.writer.vectors = VectorForm::best_for(work.client.info().version);
    let limits = work.project.settings.bulk.batch_limits();
    let opening = tokio::task::spawn_blocking(move || {
        let read = ReadOptions { format: Some(format), ..ReadOptions::default() }
            .with_mapping(&options.mapping, options.time.as_deref());
        let source = Source::open(file, &read)?.with_names(|_: &Path| "the result".to_owned());
        if let Some(Err(error)) = source.schema().map(|schema| options.columns(schema)) {
            return Ok(Err(error));
        }
        let mapping = options.mapping(&source)?;
        let reader = DocumentReader::new(source, &options)?.with_limits(limits);
        Ok::<_, es_bulk::Error>(Ok((reader, mapping)))
    });
    let opened = opening.await.map_err(|error| Error::defect("opening the result", &error))?;
    let opened = opened.map_err(|error| Error::from(error).within("the result cannot be read"))?;
    let (reader, mapping) = opened.map_err(|error| {
        let key = match error.role {
            Some(ColumnRole::Id(number)) => format!("id[{number}]"),
            _ => "time".to_owned(),
        };
        if error.is_metadata {
            let help = match error.column.as_str() {
                "_id" => "with `id: [_id]` it is the id of the document, and no field",
                _ => "rename it in the result, or leave it out",
            };
            return asset.error_at("id", &error.message, Some(help));
        }
        let message = format!("the result has no column `{}`", error.column);
        asset.error_at(&key, &message, Some(&error.help))
    })?;
    let new = IndexRequest {
        mapping,
        spec: &documents.index,
        id: documents.id.as_deref().unwrap_or_default(),
        checks: &documents.checks,
        files: Vec::new(),
        inputs: Some(inputs),
    };
    index::write(work, new, |_| reader.stream(PartRequest::default())).await
}

/// A folder for the files of one step, removed with it.
///
/// Its name has the fencing number of the lease, so that what a killed or overtaken process left is
/// known, and removed by the next step of the same part.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, and removes those of earlier steps of the part.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn of(work: &Work<'_>) -> Result<Self> {
        let parent = work.project.scratch();
        let part = match work.partition {
            Some(partition) => format!("{}@{partition}", work.asset),
            None => work.asset.to_owned(),
        };
        let fence = work.lease.fence();
        for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let of_part = name.rsplit_once('-').filter(|(before, _)| *before == part);
            if of_part.and_then(|(_, number)| number.parse().ok()).is_some_and(|number: u64| number <= fence) {
                remove(&entry.path());
            }
        }
        let folder = parent.join(format!("{part}-{fence}"));
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::failed(format!("{} cannot be made: {error}", folder.display())))?;
        // Programs that work elsewhere are given its files.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Ok(Self(folder))
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        warn!(folder = %folder.display(), %error, "a folder of temporary files is left for the next run to remove");
    }
}
