//! Rows are divided into parts and folders, and written to the files of each.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indexmap::IndexMap;
use polars::prelude::{DataFrame, PlSmallStr, Schema};
use tokio::sync::mpsc;

use super::encoding::Encoded;
use super::partition::Partitions;
use super::state::{Finished, PartFile, State};
use super::transform::Transform;
use crate::commit::Staging;
use crate::error::{Error, ErrorKind};
use crate::read::SavedRead;
use crate::split::Split;
use crate::split::proof::Proof;
use crate::write::{self, FileOptions, FileWriter};

/// A step of the reading side.
pub(super) enum Step {
    /// Rows.
    Rows(DataFrame),
    /// All rows of a group were sent; what reads on from here, where that can be.
    GroupEnd(Option<SavedRead>),
    /// All groups were sent.
    End,
}

/// The layout of the files.
pub(super) struct Layout {
    /// The folder of the files.
    pub(super) folder: PathBuf,
    pub(super) format: FileOptions,
    /// The names of the parts.
    pub(super) parts: Vec<String>,
    /// The only file's name, where there is only one.
    pub(super) single: Option<String>,
    /// The columns that are written, those that are folders included.
    pub(super) written: Vec<PlSmallStr>,
    /// The columns of the files.
    pub(super) schema: Schema,
    pub(super) partitions: Partitions,
    pub(super) transform: Option<Arc<dyn Transform>>,
    pub(super) split: Option<Arc<Split>>,
    /// The place of the part that encodings learn from.
    pub(super) training_part: usize,
    pub(super) max_open_partitions: usize,
    pub(super) max_held_bytes: usize,
    /// After how many rows files are finished within a group.
    pub(super) cut_after: Option<u64>,
}

/// The files of an export while they are written.
pub(super) struct Files {
    layout: Layout,
    /// Kept so that the folder lives until the writing thread ends.
    staging: Arc<Staging>,
    /// The state that is saved after each group, where a killed export can be resumed.
    state: Option<State>,
    finished: Finished,
    /// By the place of the part and the folder.
    open: IndexMap<(usize, String), OpenFile>,
    /// The rows in the open files.
    rows_in_open: u64,
    encoded: Encoded,
    progress: Arc<AtomicU64>,
    finished_bytes: u64,
}

struct OpenFile {
    writer: Box<dyn FileWriter>,
    path: PathBuf,
}

/// The result of writing.
pub(super) struct Written {
    pub(super) finished: Finished,
    /// The encoders, or the fitter with the rows of the training part.
    pub(super) encoded: Encoded,
}

/// The rows with what is added to them: as many as before.
fn transformed(transform: &dyn Transform, rows: &DataFrame) -> Result<DataFrame, Error> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Value, source.to_string()).with_source(source)
    };
    let transformed = transform.apply(rows).map_err(refused)?;
    if transformed.height() != rows.height() {
        return Err(Error::new(ErrorKind::Incomplete, "a transform has changed the number of rows"));
    }
    Ok(transformed)
}

impl Files {
    pub(super) fn new(
        layout: Layout,
        staging: Arc<Staging>,
        state: Option<State>,
        mut finished: Finished,
        encoded: Encoded,
        progress: Arc<AtomicU64>,
    ) -> Self {
        if let Some(split) = &layout.split {
            finished.proof.get_or_insert_with(|| Proof::new(split));
        }
        let finished_bytes = finished.files.iter().map(|PartFile { file, .. }| file.bytes).sum();
        let open = IndexMap::new();
        Self { layout, staging, state, finished, open, rows_in_open: 0, encoded, progress, finished_bytes }
    }

    /// Writes what is sent; `None` when the sender gave up.
    pub(super) fn write(mut self, mut steps: mpsc::Receiver<Step>) -> Result<Option<Written>, Error> {
        loop {
            match steps.blocking_recv() {
                Some(Step::Rows(frame)) => match self.layout.transform.clone() {
                    Some(transform) => self.rows(&transformed(&*transform, &frame)?)?,
                    None => self.rows(&frame)?,
                },
                Some(Step::GroupEnd(read)) => self.end_of_group(read)?,
                Some(Step::End) => return self.end().map(Some),
                None => return Ok(None),
            }
            self.note_bytes();
        }
    }

    fn rows(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let rows = frame.height() as u64;
        match self.layout.split.clone() {
            None => self.rows_of_part(0, frame)?,
            Some(split) => {
                let proof = self.finished.proof.get_or_insert_with(|| Proof::new(&split));
                let parts = proof.divide(&split, frame)?;
                let given = || parts.iter().enumerate().filter(|(_, rows)| rows.height() > 0);
                for (part, rows) in given() {
                    proof.see_part(&split, part, rows)?;
                }
                for (part, rows) in given() {
                    self.rows_of_part(part, rows)?;
                }
            }
        }
        self.finished.rows += rows;
        self.rows_in_open += rows;
        self.bound_memory()?;
        if self.layout.cut_after.is_some_and(|rows| self.rows_in_open >= rows) {
            self.finish_open()?;
        }
        Ok(())
    }

    fn rows_of_part(&mut self, part: usize, frame: &DataFrame) -> Result<(), Error> {
        let written = frame.select(self.layout.written.iter().cloned())?;
        let columns: Vec<PlSmallStr> = self.layout.schema.iter_names().cloned().collect();
        for (folder, rows) in self.layout.partitions.divide(written)? {
            let rows = rows.select(columns.iter().cloned())?;
            let rows = self.encoded.see(rows, part == self.layout.training_part)?;
            self.file(part, folder)?.writer.push(&rows)?;
        }
        Ok(())
    }

    /// The open file of a part and a folder.
    fn file(&mut self, part: usize, folder: String) -> Result<&mut OpenFile, Error> {
        let key = (part, folder);
        if !self.open.contains_key(&key) {
            let most = self.layout.max_open_partitions.max(1) * self.layout.parts.len();
            if self.open.len() == most {
                return Err(Error::new(
                    ErrorKind::Partition,
                    format!("the partition columns make more than {} folders", self.layout.max_open_partitions),
                )
                .with_help("partition by columns with fewer values, or raise the limit of open partitions"));
            }
            let opened = self.create(part, &key.1)?;
            self.open.insert(key.clone(), opened);
        }
        // It was put there just now if it was not there before.
        self.open.get_mut(&key).ok_or_else(|| Error::new(ErrorKind::Io, "a file was not opened"))
    }

    fn create(&self, part: usize, folder: &str) -> Result<OpenFile, Error> {
        let Layout { folder: root, format, parts, single, schema, .. } = &self.layout;
        let name = match single {
            Some(name) => name.clone(),
            None => {
                let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                format!("{}/{folder}part-{:05}.{}", parts[part], self.finished.next_file, format.extension())
            }
        };
        let encoders = self.encoded.encoders();
        let encoded = encoders.map(|encoders| encoders.schema(schema)).transpose()?;
        let writer = write::create(*format, root, &name, encoded.as_ref().unwrap_or(schema), encoders)?;
        Ok(OpenFile { writer, path: root.join(name) })
    }

    /// Writes the largest rows that wait while all together are too many.
    fn bound_memory(&mut self) -> Result<(), Error> {
        let mut held: usize = self.open.values().map(|file| file.writer.held_bytes()).sum();
        while held > self.layout.max_held_bytes {
            let largest = self.open.values_mut().max_by_key(|file| file.writer.held_bytes());
            let Some(largest) = largest else { return Ok(()) };
            let before = largest.writer.held_bytes();
            largest.writer.release()?;
            let released = before.saturating_sub(largest.writer.held_bytes());
            if released == 0 {
                return Ok(());
            }
            held -= released;
        }
        Ok(())
    }

    /// Finishes all open files, in the order of the parts.
    fn finish_open(&mut self) -> Result<(), Error> {
        let mut open = std::mem::take(&mut self.open);
        open.sort_unstable_keys();
        for ((part, _), file) in open {
            let file = file.writer.finish()?;
            self.finished_bytes += file.bytes;
            self.finished.files.push(PartFile { part, file });
        }
        self.finished.next_file += 1;
        self.rows_in_open = 0;
        Ok(())
    }

    fn end_of_group(&mut self, read: Option<SavedRead>) -> Result<(), Error> {
        if !self.open.is_empty() {
            self.finish_open()?;
        }
        self.finished.groups += 1;
        if let (Some(state), Some(read)) = (&mut self.state, read) {
            state.read = read;
            state.finished = self.finished.clone();
            state.save(&self.staging)?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<Written, Error> {
        // A part without rows has a file all the same, so that readers find its columns;
        // among folders there is none that it could be in.
        if self.layout.partitions.is_empty() {
            for part in 0..self.layout.parts.len() {
                if self.finished.files.iter().all(|file| file.part != part) {
                    self.finished.next_file = 0;
                    let file = self.create(part, "")?.writer.finish()?;
                    self.finished.files.push(PartFile { part, file });
                }
            }
        }
        self.note_bytes();
        Ok(Written { finished: self.finished, encoded: self.encoded })
    }

    /// Notes how many bytes are written.
    fn note_bytes(&self) {
        let of_open: u64 =
            self.open.values().filter_map(|file| std::fs::metadata(&file.path).ok()).map(|found| found.len()).sum();
        self.progress.store(self.finished_bytes + of_open, Ordering::Relaxed);
    }
}
