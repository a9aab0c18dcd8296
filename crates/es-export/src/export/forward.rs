//! Rows are read and handed to the thread that writes them.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_core::Client;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::files::{Files, Step, Written};
use super::progress::{Phase, Progress};
use crate::error::{Error, ErrorKind};
use crate::read::{IndexReader, ReadRequest};
use crate::split::Split;

/// Frames that wait between reading and writing. A row group of 32 MiB is written at once, while
/// pages of 4 MiB keep coming: with fewer frames the server waits until it is written.
const WAITING_FRAMES: usize = 8;

/// The error of an export that was stopped.
pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the export was stopped").with_help("nothing was changed; run it again")
}

/// Reads these groups of slices into the files.
pub(super) async fn read_into(
    files: Files,
    bytes: &Arc<AtomicU64>,
    reader: &IndexReader,
    groups: &[Range<usize>],
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<Written, Error> {
    let (steps, receiver) = mpsc::channel(WAITING_FRAMES);
    // A thread of its own: dividing, compressing and writing take long.
    let writer = tokio::task::spawn_blocking(move || files.write(receiver));
    let read = read_groups(reader, groups, &steps, cancel, |rows| {
        let bytes = bytes.load(Ordering::Relaxed);
        observer(Progress { phase: Phase::Reading, rows, bytes, total: reader.count() });
    });
    let read = read.await;
    drop(steps);
    // The writer ends when the channel does. Its error is the first cause, as a reader whose
    // frames nobody takes just stops.
    let written =
        writer.await.map_err(|source| Error::new(ErrorKind::Io, "writing the files failed").with_source(source))??;
    read?;
    written.ok_or_else(|| Error::new(ErrorKind::Io, "the files were not finished"))
}

async fn read_groups(
    reader: &IndexReader,
    groups: &[Range<usize>],
    steps: &mpsc::Sender<Step>,
    cancel: &CancellationToken,
    observer: impl Fn(u64),
) -> Result<(), Error> {
    for slices in groups {
        let mut frames = pin!(reader.frames_of(slices.clone()));
        while let Some(frame) = unless(cancel, frames.next()).await?.transpose()? {
            let rows = frame.height() as u64;
            if !send(steps, Step::Rows(frame), cancel).await? {
                return Ok(());
            }
            observer(rows);
        }
        if !send(steps, Step::GroupEnd(reader.saved()), cancel).await? {
            return Ok(());
        }
    }
    send(steps, Step::End, cancel).await?;
    Ok(())
}

/// Whether the writer took it: if not, it has failed, and says why.
async fn send(steps: &mpsc::Sender<Step>, step: Step, cancel: &CancellationToken) -> Result<bool, Error> {
    Ok(unless(cancel, steps.send(step)).await?.is_ok())
}

/// Waits for something unless the export is stopped.
pub(super) async fn unless<T>(cancel: &CancellationToken, awaited: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(interrupted()),
        outcome = awaited => Ok(outcome),
    }
}

/// The split with its strata counted, where it has some that were not counted yet: in all
/// rows, of which only the columns that decide are read.
pub(super) async fn settled(
    split: Split,
    client: &Client,
    request: &ReadRequest,
    reader: &IndexReader,
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<Split, Error> {
    let Some(mut survey) = split.survey() else { return Ok(split) };
    let narrow = reader.narrowed(client, request, split.columns()).await?;
    let mut frames = pin!(narrow.frames());
    let mut counted = 0;
    while let Some(frame) = unless(cancel, frames.next()).await?.transpose()? {
        let rows = frame.height() as u64;
        let observed = tokio::task::spawn_blocking(move || survey.observe(&frame).map(|()| survey)).await;
        let failed = |source| Error::new(ErrorKind::Split, "counting the strata failed").with_source(source);
        survey = observed.map_err(failed)??;
        counted += rows;
        observer(Progress { phase: Phase::Counting, rows, bytes: 0, total: reader.count() });
    }
    reader.reconcile(counted)?;
    reader.rejoin(narrow);
    Ok(split.settled(survey.finish()))
}
