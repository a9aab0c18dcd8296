//! How far loads of files got: one file a load beside the pipeline, so that a load that was cut
//! off is carried on by the next process instead of begun anew.
//!
//! What is kept here is only about the way, never about what is published: without these files
//! loads begin anew, and come to the same end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use es_bulk::files::FileIdentity;
use es_bulk::{Batch, Checkpoint, LetterLength, OriginalSettings, Settled, Summary};
use es_frame::ContentHash;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::error::Error;

/// The folder of these files, from the folder of the pipeline.
const FOLDER: &str = ".orchestrator/loads";

/// The file is written no more often than this; what was settled since is sent again.
const EVERY: Duration = Duration::from_millis(500);

/// A load, and how far it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedLoad {
    /// The index that is written to.
    pub index: String,
    /// The UUID that the server gave it: an index that was made anew under the same name has
    /// nothing of this load.
    pub index_uuid: String,
    /// What decides which documents the files become.
    pub definition: String,
    /// What the files looked like from outside.
    pub files: Vec<FileIdentity>,
    /// The run that began it, which its dead letter is named after.
    pub run: String,
    /// Whether documents that are sent twice end as one.
    pub repeatable: bool,
    /// Settings of the index to put back at the end.
    pub settings: Option<OriginalSettings>,
    /// How far it got.
    #[serde(default)]
    pub reached: Reached,
}

/// How far a load got: everything before is settled, everything after is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// Where in the files.
    pub checkpoint: Option<Checkpoint>,
    /// How many documents that is, rows that never became one aside.
    pub documents: u64,
    /// What became of them.
    pub summary: Summary,
    /// How long its dead letter is.
    pub letter: LetterLength,
    /// The documents, where that is asked for.
    pub content: ContentHash,
}

/// The file of one load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadFile {
    path: PathBuf,
}

impl LoadFile {
    /// The file of a load by its name, for a pipeline in a folder.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(FOLDER).join(format!("{name}.json")) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// The load, if there is one. A file that cannot be understood, such as one of another
    /// version of this program, counts as none: the load begins anew.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(&self) -> Result<Option<SavedLoad>, Error> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", &error)),
        };
        match serde_json::from_slice(&text) {
            Ok(load) => Ok(Some(load)),
            Err(error) => {
                warn!(file = %self.path.display(), %error, "what is known of an earlier load cannot be understood");
                Ok(None)
            }
        }
    }

    /// Writes it, in one step.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, load: &SavedLoad) -> Result<(), Error> {
        self.replace(load).map_err(|error| self.failed("written", &error))
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

    /// Locks the load for this process until the lock is dropped or the process ends, however it
    /// ends. None when another process has it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn lock(&self) -> Result<Option<File>, Error> {
        let path = self.path.with_extension("lock");
        let locked = (|| {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = File::create(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(std::fs::TryLockError::WouldBlock) => Ok(None),
                Err(std::fs::TryLockError::Error(error)) => Err(error),
            }
        })();
        locked.map_err(|error: std::io::Error| self.failed("locked", &error))
    }

    /// Takes it from every other process: of several that try, it is one that has it.
    pub fn take(&self) -> bool {
        std::fs::rename(&self.path, self.path.with_extension("json.taken")).is_ok()
    }

    /// Removes it; that there is none is no error.
    pub fn remove(&self) {
        for path in [self.path.clone(), self.path.with_extension("json.taken")] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    warn!(file = %path.display(), %error, "the file of a load that ended is left");
                }
                _ => {}
            }
        }
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Error {
        Error::failed(format!("{} cannot be {what}: {error}", self.path.display()))
            .with_help(Some("it holds how far a load got; check who may write to the folder"))
    }
}

/// Keeps the file of a load up to date while it goes on.
pub struct Keeper {
    /// None for a load that cannot be carried on.
    file: Option<LoadFile>,
    hashes: bool,
    state: Mutex<State>,
}

struct State {
    load: SavedLoad,
    /// What was reached when this process began.
    before: Reached,
    /// For each batch that is not settled, the content up to its end.
    unsettled: VecDeque<ContentHash>,
    /// The content of everything that was handed over.
    content: ContentHash,
    /// How many batches left `unsettled`.
    settled: u64,
    written: Instant,
}

impl Keeper {
    /// Begins, or goes on, to keep the file of a load. `hashes` says whether the content of the
    /// documents is asked for, which takes time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start(file: LoadFile, load: SavedLoad, hashes: bool) -> Result<Self, Error> {
        file.write(&load)?;
        Ok(Self::new(Some(file), load, hashes))
    }

    /// Keeps the books of a load that cannot be carried on: there is no file.
    pub fn without_file(load: SavedLoad, hashes: bool) -> Self {
        Self::new(None, load, hashes)
    }

    fn new(file: Option<LoadFile>, load: SavedLoad, hashes: bool) -> Self {
        let (before, content) = (load.reached.clone(), load.reached.content);
        let state = State { load, before, unsettled: VecDeque::new(), content, settled: 0, written: Instant::now() };
        Self { file, hashes, state: Mutex::new(state) }
    }

    /// The run that began the load.
    pub fn run(&self) -> String {
        self.state().load.run.clone()
    }

    /// Takes note of a batch that is handed to the loader, in the order of the files.
    pub fn hands_over(&self, batch: &Batch) {
        if !self.hashes {
            return;
        }
        let content = batch.content();
        let mut state = self.state();
        state.content.merge(content);
        let content = state.content;
        state.unsettled.push_back(content);
    }

    /// Takes note of what is settled.
    pub fn settles(&self, settled: &Settled) {
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

    /// How far the load got.
    pub fn reached(&self) -> Reached {
        self.state().load.reached.clone()
    }

    /// The content of everything that was handed over, in this process and before.
    pub fn content(&self) -> ContentHash {
        self.state().content
    }

    /// The load is cut off here, and can be carried on.
    pub fn keep(&self) {
        self.save(&self.state().load);
    }

    /// The load is at its end: there is nothing to carry on.
    pub fn forget(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }

    /// A place that cannot be noted costs time later, and is no failure now.
    fn save(&self, load: &SavedLoad) {
        let Some(file) = &self.file else { return };
        if let Err(failure) = file.write(load) {
            warn!(%failure, "the place of a load is not kept");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
