//! The request for a load of files, and its outcome.

use std::path::PathBuf;

use es_core::{Mapping, NewIndex};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::checkpoint::SavedLoad;
use crate::error::{Error, ErrorKind};
use crate::files::{DocumentOptions, FileIdentity, FileInput, ReadOptions};
use crate::options::BulkOptions;
use crate::summary::Summary;

/// A load of files, or of standard input, into an index.
#[derive(Clone, Debug)]
pub struct IngestRequest {
    /// The files.
    pub input: FileInput,
    /// The options of reading them; format and compression are detected unless they are set.
    pub read: ReadOptions,
    /// The index, the alias or the data stream.
    pub index: String,
    /// The options of turning rows into documents. Their mapping is that of a new index over the inferred one; an index
    /// that exists is extended by it.
    pub documents: DocumentOptions,
    /// The settings of a new index, without `index.`.
    pub settings: Map<String, Value>,
    /// The ingest pipeline of Elasticsearch that the documents go through.
    pub pipeline: Option<String>,
    /// The size of requests, the limits of the load, and what is done when a new index is filled.
    pub bulk: BulkOptions,
    /// Starts a load that was cut off from scratch instead of resuming it.
    pub restart: bool,
}

impl IngestRequest {
    /// A load with the default options.
    pub fn new(index: impl Into<String>, input: impl Into<FileInput>) -> Self {
        Self {
            input: input.into(),
            read: ReadOptions::default(),
            index: index.into(),
            documents: DocumentOptions::default(),
            settings: Map::new(),
            pipeline: None,
            bulk: BulkOptions::default(),
            restart: false,
        }
    }

    /// The name of the load: the same files into the same index are the same load, whatever they hold.
    pub fn name(&self) -> String {
        let names = match &self.input {
            FileInput::Files(paths) => paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            FileInput::StandardInput => Vec::new(),
        };
        format!("{}-{:016x}", self.index, xxh3_64(names.join("\n").as_bytes()))
    }

    /// The fingerprint of all that decides which documents the files become.
    pub fn definition(&self) -> String {
        let (documents, writer) = (&self.documents, &self.documents.writer);
        let mapping = (documents.mapping != Mapping::default()).then_some(&documents.mapping);
        let csv = (!self.read.csv.is_default()).then_some(&self.read.csv);
        let mut text = json!({
            "id": writer.id, "operation": writer.operation.as_str(), "routing": writer.routing,
            "version": writer.version, "names": writer.dotted_names, "non_finite": writer.non_finite,
            "undeclared": documents.undeclared, "format": self.read.format, "mapping": mapping,
            "records": self.read.records,
            "pipeline": self.pipeline,
        });
        if !self.read.leave_out.is_empty() {
            text["leave_out"] = json!(self.read.leave_out);
        }
        if let Some(csv) = csv {
            text["csv"] = json!(csv);
        }
        format!("{:016x}", xxh3_64(text.to_string().as_bytes()))
    }
}

/// The effect that a load would have.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    /// The body that the index would be created with; `None` where it exists.
    pub new_index: Option<NewIndex>,
    /// The files.
    pub files: Vec<String>,
    /// The number of rows, where the format has it.
    pub rows: Option<u64>,
    /// The findings about the files and their values that a person should know of.
    pub notes: Vec<String>,
}

/// The outcome of a load.
#[derive(Debug)]
pub struct IngestOutcome {
    /// The account of all documents, those of an earlier process included.
    pub whole: Summary,
    /// The account of those of this process.
    pub here: Summary,
    /// The file with the rejected documents, or with the reasons where no document could be made; `None`
    /// where nothing was rejected.
    pub dead_letter: Option<PathBuf>,
    /// The error that ended the load. An interrupted load has none, see [`Summary::interrupted`].
    pub error: Option<Error>,
}

/// Refuses to resume a load where that would not end in the state that it would have ended in.
///
/// # Errors
/// [`ErrorKind::Request`] when its options or files were other ones, and when documents have no ids.
pub(crate) fn check_resumable(earlier: &SavedLoad, definition: &str, files: &[FileIdentity]) -> Result<(), Error> {
    let refused = |why: String, help: &str| Err(Error::new(ErrorKind::Request, why).with_help(help));
    let SavedLoad { index, reached, .. } = earlier;
    let rows = match reached.summary.read {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    let so_far = format!("an earlier load of these files into {index} was cut off after {rows}");
    if earlier.definition != definition {
        return refused(
            format!("{so_far}, and its options were other ones"),
            "set the same options to resume it, or restart it from scratch",
        );
    }
    let changed = earlier.files.iter().zip(files).find(|(before, now)| before != now);
    if let Some((file, _)) = changed.filter(|_| reached.checkpoint.is_some()) {
        return refused(
            format!("{so_far}, and {} has changed since", file.path),
            "restart it to load everything from scratch; documents with the same ids are written over",
        );
    }
    if !earlier.repeatable && !earlier.settled {
        return refused(
            format!("{so_far} while documents were in flight; without ids, resuming it could write them twice"),
            "remove the index and restart the load; restarted into the same index, it writes everything once more \
             beside what is there",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::batch::Checkpoint;
    use crate::ingest::ResumePoint;

    fn saved() -> SavedLoad {
        SavedLoad {
            index: "i".into(),
            index_uuid: "u".into(),
            definition: "d".into(),
            files: vec![FileIdentity { path: "a.csv".into(), bytes: 1, modified: Timestamp::UNIX_EPOCH }],
            owner: json!({"pid": 1}),
            run: "r".into(),
            repeatable: true,
            settled: false,
            settings: None,
            reached: ResumePoint {
                checkpoint: Some(Checkpoint { file: "a.csv".into(), place: Default::default(), row: 7 }),
                summary: Summary { read: 7, created: 7, ..Summary::default() },
                ..ResumePoint::default()
            },
        }
    }

    #[test]
    fn only_the_same_load_is_resumed() {
        let saved = saved();
        let refusal = |saved: &SavedLoad, definition: &str, files: &[FileIdentity]| {
            check_resumable(saved, definition, files).err().map(|error| error.to_string())
        };
        let files = saved.files.clone();
        assert_eq!(refusal(&saved, "d", &files), None);
        let so_far = "an earlier load of these files into i was cut off after 7 rows";
        assert_eq!(refusal(&saved, "e", &files), Some(format!("{so_far}, and its options were other ones")));
        let larger = FileIdentity { bytes: 2, ..files[0].clone() };
        let changed = refusal(&saved, "d", std::slice::from_ref(&larger));
        assert_eq!(changed, Some(format!("{so_far}, and a.csv has changed since")));
        let without_ids = SavedLoad { repeatable: false, ..saved.clone() };
        assert!(
            refusal(&without_ids, "d", &files)
                .unwrap()
                .starts_with(&format!("{so_far} while documents were in flight"))
        );
        let settled = SavedLoad { settled: true, ..without_ids };
        assert_eq!(refusal(&settled, "d", &files), None);
        let nothing_yet = SavedLoad { reached: ResumePoint::default(), ..saved };
        assert_eq!(refusal(&nothing_yet, "d", &[larger]), None);
    }

    #[test]
    fn the_same_files_into_the_same_index_are_the_same_load() {
        let name = |index: &str, paths: &[&str]| {
            IngestRequest::new(index, paths.iter().map(PathBuf::from).collect::<Vec<_>>()).name()
        };
        let one = name("i", &["a", "b"]);
        assert_eq!(one, name("i", &["a", "b"]));
        assert!(one.starts_with("i-") && one != name("i", &["a"]) && one != name("j", &["a", "b"]));
    }

    #[test]
    fn every_option_that_changes_documents_changes_the_definition() {
        let request = || IngestRequest::new("i", PathBuf::from("a.csv"));
        let plain = request().definition();
        assert_eq!(plain, request().definition());
        let changes: [fn(&mut IngestRequest); 9] = [
            |request| request.read.csv.header = false,
            |request| request.documents.writer.id = vec!["id".into()],
            |request| request.documents.writer.operation = es_frame::Operation::Create,
            |request| request.documents.writer.routing = Some("r".into()),
            |request| request.documents.writer.dotted_names = es_frame::DottedNames::Objects,
            |request| request.documents.writer.non_finite = es_frame::NonFinite::Reject,
            |request| request.documents.undeclared = crate::files::Undeclared::Ignore,
            |request| request.read.format = Some(crate::files::FileFormat::Csv),
            |request| request.pipeline = Some("p".into()),
        ];
        let mut seen = vec![plain];
        for change in changes {
            let mut other = request();
            change(&mut other);
            assert!(!seen.contains(&other.definition()));
            seen.push(other.definition());
        }
        let mut limits = request();
        limits.bulk.batch_documents = 1;
        assert_eq!(limits.definition(), seen[0], "what does not change documents does not change it");
    }
}
