//! Checkpoints of loads of files: a file for each load, so that one that was cut off is resumed by the
//! next process instead of started from scratch.
//!
//! The file is about the way and never about the result: without it a load starts from scratch, and
//! ends in the same state.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use es_frame::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use crate::batch::{Batch, Checkpoint};
use crate::dead_letter::LetterLength;
use crate::error::{Error, ErrorKind};
use crate::files::{FileIdentity, StartPoint};
use crate::initial_load::OriginalSettings;
use crate::load::Settled;
use crate::summary::Summary;

/// The shortest time between two writes of the file. What was settled since is sent again.
const EVERY: Duration = Duration::from_millis(500);

/// A load, and how far it got.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedLoad {
    /// The index that is written to.
    pub index: String,
    /// The UUID that the server gave it: an index that was created again under the same name has
    /// nothing of this load.
    pub index_uuid: String,
    /// A fingerprint of all that decides which documents the files become.
    pub definition: String,
    /// The identities of the files.
    pub files: Vec<FileIdentity>,
    /// The process that loads, in the terms of the program.
    #[serde(default)]
    pub owner: Value,
    /// The run that started it, after which its dead letter is named.
    pub run: String,
    /// True if a document that is sent twice ends as one.
    pub repeatable: bool,
    /// True if nothing more than what [`SavedLoad::reached`] accounts for was sent when the process
    /// ended, so that even documents without ids can be resumed.
    #[serde(default)]
    pub settled: bool,
    /// Settings of the index to put back at the end.
    pub settings: Option<OriginalSettings>,
    /// The point that it reached.
    #[serde(default)]
    pub reached: ResumePoint,
}

/// The point that a load reached: everything before is settled, everything after is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumePoint {
    /// The point in the files.
    pub checkpoint: Option<Checkpoint>,
    /// The number of documents before it, without rows that never became one.
    pub documents: u64,
    /// The account of these documents and rows.
    pub summary: Summary,
    /// The length of the dead letter.
    pub letter: LetterLength,
    /// The content of the documents, where it is asked for.
    pub content: ContentHash,
}

impl ResumePoint {
    /// The point from which the files are read.
    pub fn start(&self) -> StartPoint {
        StartPoint { checkpoint: self.checkpoint.clone(), documents: self.documents }
    }
}

/// The file of one load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFile {
    path: PathBuf,
}

impl CheckpointFile {
    /// The file of a load by its name, in a folder that is created when it is written.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(format!("{name}.json")) }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if it exists.
    pub fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Reads the load, if there is one. A file that cannot be understood, such as one of another
    /// version, counts as none, and the load starts from scratch.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file exists and cannot be read.
    pub fn read(&self) -> Result<Option<SavedLoad>, Error> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", error)),
        };
        match serde_json::from_slice(&text) {
            Ok(load) => Ok(Some(load)),
            Err(error) => {
                warn!(file = %self.path.display(), %error, "ignoring the checkpoint of an earlier load, as it cannot be understood");
                Ok(None)
            }
        }
    }

    /// Writes the load, in one step.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the folder cannot be written to.
    pub fn write(&self, load: &SavedLoad) -> Result<(), Error> {
        self.replace(load).map_err(|error| self.failed("written", error))
    }

    fn replace(&self, load: &SavedLoad) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = self.path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(load)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }

    /// Takes the file away from every other process: of several that try, one gets `true`. Until it
    /// is written again, there is none.
    pub fn take(&self) -> bool {
        std::fs::rename(&self.path, self.path.with_extension("json.taken")).is_ok()
    }

    /// Removes it, if it exists.
    pub fn remove(&self) {
        for path in [self.path.clone(), self.path.with_extension("json.taken")] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    warn!(file = %path.display(), %error, "the checkpoint of a load that ended is left behind");
                }
                _ => {}
            }
        }
    }

    fn failed(&self, what: &str, error: std::io::Error) -> Error {
        let message = format!("the checkpoint {} cannot be {what}: {error}", self.path.display());
        Error::of_file(ErrorKind::File, &self.path, message)
            .with_help("it records how far a load got; check who may write to the folder")
            .with_source(error)
    }
}

/// Keeps the checkpoint of a load up to date while it runs.
#[derive(Debug)]
pub struct CheckpointWriter {
    /// None for a load that cannot be resumed.
    file: Option<CheckpointFile>,
    hashes: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    load: SavedLoad,
    /// The point that an earlier process reached.
    before: ResumePoint,
    /// For each batch that is not settled, the content up to its end.
    unsettled: VecDeque<ContentHash>,
    /// The content of everything that was handed to the loader.
    content: ContentHash,
    /// The number of batches that left `unsettled`.
    settled: u64,
    written: Instant,
}

impl CheckpointWriter {
    /// Starts a load, or resumes it at [`SavedLoad::reached`]. Without a file only the account is kept.
    /// `hashes` says that the content of the documents is wanted, which takes time.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file cannot be written.
    pub fn start(file: Option<CheckpointFile>, load: SavedLoad, hashes: bool) -> Result<Self, Error> {
        let load = SavedLoad { settled: false, ..load };
        if let Some(file) = &file {
            file.write(&load)?;
        }
        let (before, content) = (load.reached.clone(), load.reached.content);
        let state = State { load, before, unsettled: VecDeque::new(), content, settled: 0, written: Instant::now() };
        Ok(Self { file, hashes, state: Mutex::new(state) })
    }

    /// The run that started the load.
    pub fn run(&self) -> String {
        self.state().load.run.clone()
    }

    /// The point that an earlier process reached.
    pub fn before(&self) -> ResumePoint {
        self.state().before.clone()
    }

    /// Notes a batch that is handed to the loader, in the order of the files.
    pub fn submit(&self, batch: &Batch) {
        if !self.hashes {
            return;
        }
        let content = batch.content();
        let mut state = self.state();
        state.content.merge(content);
        let content = state.content;
        state.unsettled.push_back(content);
    }

    /// Notes what is settled, and writes the file now and then.
    pub fn settle(&self, settled: &Settled) {
        let mut state = self.state();
        while state.settled < settled.batches {
            let Some(content) = state.unsettled.pop_front() else { break };
            state.load.reached.content = content;
            state.settled += 1;
        }
        let mut summary = state.before.summary.clone();
        summary.merge(&settled.summary);
        state.load.reached.summary = summary;
        state.load.reached.letter = settled.letter;
        state.load.reached.documents = state.before.documents + settled.documents;
        if let Some(checkpoint) = &settled.checkpoint {
            state.load.reached.checkpoint = Some(checkpoint.clone());
        }
        if state.written.elapsed() >= EVERY {
            state.written = Instant::now();
            self.save(&state.load);
        }
    }

    /// The point that was reached.
    pub fn reached(&self) -> ResumePoint {
        self.state().load.reached.clone()
    }

    /// The content of everything that was handed to the loader, by this process and before.
    pub fn content(&self) -> ContentHash {
        self.state().content
    }

    /// Leaves the file for another process that resumes the load.
    pub fn keep(&self) {
        self.save(&self.state().load);
    }

    /// As [`CheckpointWriter::keep`], with the account of everything that this process and those before
    /// it sent: whether something beyond the checkpoint may have been written.
    pub fn keep_after(&self, sent: &Summary) {
        let mut state = self.state();
        state.load.settled = sent.unknown == 0 && sent.read == state.load.reached.summary.read;
        self.save(&state.load);
    }

    /// Removes the file, as there is nothing to resume.
    pub fn remove(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }

    /// Writes the file. A failure costs time when the load is resumed, and is not an error now.
    fn save(&self, load: &SavedLoad) {
        let Some(file) = &self.file else { return };
        if let Err(error) = file.write(load) {
            warn!(%error, "the checkpoint of a load is not up to date");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
