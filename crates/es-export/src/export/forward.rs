//! Reading: rows are sent to the thread that writes them.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_core::Client;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::files::{Files, Step, Written};
use crate::cancel::unless;
use crate::error::{Error, ErrorKind};
use crate::progress::{Observer, Phase, Progress};
use crate::read::{IndexReader, ReadRequest};
use crate::split::Split;

/// The number of frames that wait between reading and writing. A row group of 32 MiB is written at
/// once, while pages of 4 MiB keep coming: with fewer frames the server would wait for it.
const WAITING_FRAMES: usize = 8;

/// Reads these groups of slices into the files.
pub(super) async fn read_into(
    files: Files,
    bytes: &Arc<AtomicU64>,
    reader: &IndexReader,
    groups: &[Range<usize>],
    token: &CancellationToken,
    observer: &Observer,
) -> Result<Written, Error> {
    let (steps, receiver) = mpsc::channel(WAITING_FRAMES);
    // A thread of its own: dividing, compressing and writing take long.
    let writer = tokio::task::spawn_blocking(move || files.write(receiver));
    let read = read_groups(reader, groups, &steps, token, |rows| {
        let bytes = bytes.load(Ordering::Relaxed);
        observer.notify(Progress { phase: Phase::Reading, rows, bytes, total: reader.count(), restarts: 0 });
    });
    let read = read.await;
    drop(steps);
    // The writer ends when the channel does. Its error is the first cause: a reader whose frames
    // are not taken only stops.
    let written =
        writer.await.map_err(|source| Error::new(ErrorKind::Io, "writing the files failed").with_source(source))??;
    read?;
    written.ok_or_else(|| Error::new(ErrorKind::Io, "the files were not finished"))
}

async fn read_groups(
    reader: &IndexReader,
    groups: &[Range<usize>],
    steps: &mpsc::Sender<Step>,
    token: &CancellationToken,
    observer: impl Fn(u64),
) -> Result<(), Error> {
    for slices in groups {
        let mut frames = pin!(reader.frames_of(slices.clone()));
        while let Some(frame) = unless(token, frames.next()).await?.transpose()? {
            let rows = frame.height() as u64;
            if !send(steps, Step::Rows(frame), token).await? {
                return Ok(());
            }
            observer(rows);
        }
        if !send(steps, Step::GroupEnd(reader.saved()), token).await? {
            return Ok(());
        }
    }
    send(steps, Step::End, token).await?;
    Ok(())
}

/// Sends a step to the writer. Returns `false` when the writer has failed, which reports why.
async fn send(steps: &mpsc::Sender<Step>, step: Step, token: &CancellationToken) -> Result<bool, Error> {
    Ok(unless(token, steps.send(step)).await?.is_ok())
}

/// The split with its strata counted, where it has strata that were not counted yet. All rows are
/// read for that, with only the columns that the split needs.
pub(super) async fn settled(
    split: Split,
    client: &Client,
    request: &ReadRequest,
    reader: &IndexReader,
    token: &CancellationToken,
    observer: &Observer,
) -> Result<Split, Error> {
    let Some(mut counter) = split.strata_counter() else { return Ok(split) };
    let narrow = reader.narrowed(client, request, split.columns()).await?;
    let mut frames = pin!(narrow.frames());
    let mut counted = 0;
    while let Some(frame) = unless(token, frames.next()).await?.transpose()? {
        let rows = frame.height() as u64;
        let observed = tokio::task::spawn_blocking(move || counter.observe(&frame).map(|()| counter)).await;
        let failed = |source| Error::new(ErrorKind::Split, "counting the strata failed").with_source(source);
        counter = observed.map_err(failed)??;
        counted += rows;
        observer.notify(Progress { phase: Phase::Counting, rows, bytes: 0, total: reader.count(), restarts: 0 });
    }
    reader.reconcile(counted)?;
    Ok(split.settled(counter.finish()))
}
