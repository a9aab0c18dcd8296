//! An export from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use es_core::{Backoff, Client};
use es_frame::ColumnRequest;
use polars::prelude::Schema;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::complete::Complete;
use super::encode_files::{self, Encode};
use super::encoding::Encoded;
use super::files::{Files, Layout, Written};
use super::outcome::Outcome;
use super::partition::Partitions;
use super::ready::ReadyExport;
use super::state::{self, Finished, PartFile, State};
use super::{Export, forward, plan};
use crate::cancel::{interrupted, unless};
use crate::commit::{Destination, Staging};
use crate::error::{Error, ErrorKind};
use crate::options::bytes;
use crate::progress::{Phase, Progress};
use crate::read::{IndexReader, ReadRequest};
use crate::split::Split;

/// The waits before an export starts from scratch: the cluster moves the shards of a lost node.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// An export under way.
pub(super) struct Run<'a> {
    export: &'a Export,
    client: &'a Client,
    staging: Arc<Staging>,
}

impl<'a> Run<'a> {
    /// Enters the staging folder of the destination.
    pub(super) fn begin(export: &'a Export, client: &'a Client) -> Result<Self, Error> {
        plan::check(export)?;
        let staging = Arc::new(Staging::enter(&export.destination)?);
        Ok(Self { export, client, staging })
    }

    /// Reads and encodes.
    pub(super) async fn finish(self) -> Result<ReadyExport, Error> {
        let Self { export, client, staging } = &self;
        let (complete, encoded) = match Complete::left(export, &client.info().cluster_uuid, staging)? {
            Some((complete, encoded)) => (complete, Some(encoded)),
            None => self.read_all().await?,
        };
        let in_files = plan::file_columns(export, &complete.written)?;
        let files = match (encoded, &complete.encoders) {
            (Some(encoded), Some(encoders)) => {
                let encode = Encode {
                    staging: staging.clone(),
                    files: complete.finished.files.clone(),
                    encoded,
                    single: plan::single(export),
                    format: export.files,
                    schema: in_files.clone(),
                    encoders: encoders.clone(),
                };
                let observer = export.observer.after_restarts(complete.finished.restarted);
                encode.run(complete.finished.rows, self.token(), &observer).await?
            }
            _ => complete.finished.files.clone(),
        };
        let in_files = match &complete.encoders {
            Some(encoders) => encoders.schema(&in_files)?,
            None => in_files,
        };
        let outcome = Outcome { export, complete, in_files: &in_files, files };
        let manifest = outcome.manifest()?;
        if self.token().is_cancelled() {
            return Err(interrupted());
        }
        ReadyExport::new(manifest, staging.clone())
    }

    fn token(&self) -> &CancellationToken {
        &self.export.cancellation
    }

    /// Reads all rows, and starts from scratch where the point in time is lost: the files that are
    /// finished hold another state of the index than a new point in time.
    async fn read_all(&self) -> Result<(Complete, Option<Vec<PartFile>>), Error> {
        let mut restarts = 0;
        loop {
            let error = match self.read_once(restarts).await {
                Ok(complete) => return Ok(complete),
                Err(error) => error,
            };
            if restarts == self.export.max_restarts || !restart_may_help(&error, restarts) {
                return Err(error);
            }
            let wait = BACKOFF.wait(restarts, fastrand::f64());
            restarts += 1;
            let max = self.export.max_restarts;
            warn!(%error, restarts, max, ?wait, "the point in time was lost: starting the export from scratch");
            self.staging.clear()?;
            unless(self.token(), tokio::time::sleep(wait)).await?;
        }
    }

    /// Reads all rows from one point in time, and writes them to their files, or to files that wait
    /// to be encoded. In the second case also returns the files that are encoded by now: none.
    async fn read_once(&self, restarts: u32) -> Result<(Complete, Option<Vec<PartFile>>), Error> {
        let Self { export, client, staging } = self;
        let (reader, state) = self.open().await?;
        let read = self.read(&reader, state, restarts).await;
        let (source, mut field_types) = (reader.origin().clone(), reader.field_types().to_vec());
        field_types.extend(plan::added(export).into_iter().map(|column| (column.name, column.elasticsearch)));
        close(reader).await;
        let Read { split, written, finished, encoded } = read?;
        let (encoders, waits) = match encoded {
            Encoded::Not => (None, false),
            Encoded::OnTheWay(encoders) => (Some(Arc::unwrap_or_clone(encoders)), false),
            Encoded::Afterwards(fitter) => (Some(fitter.finish()?), true),
        };
        let complete = Complete { source, field_types, split, written, finished, encoders };
        if waits {
            complete.save(export, &client.info().cluster_uuid, staging)?;
        }
        Ok((complete, waits.then(Vec::new)))
    }

    /// A reader, and the state where a killed export is resumed.
    async fn open(&self) -> Result<(IndexReader, Option<State>), Error> {
        let Self { export, client, staging } = self;
        let mut request = plan::read_request(export);
        name_columns(export, client, &mut request).await?;
        if let Destination::Folder(_) = export.destination {
            // So that a group, of as many slices as are read at once, has the rows of a file.
            let rows = export.options.rows_per_file.div_ceil(request.options.concurrency.max(1));
            request.options.slice_rows = Some(u64::from(rows.max(1)));
        }
        if let Some(mut state) = State::read(staging) {
            // Where the server cannot be reached, the state is kept for the next run.
            let resumed = self.resume(&request, &state).await.inspect_err(|_| staging.stay());
            if let Some(reader) = resumed? {
                staging.keep_only(&state.folder(staging), &state::paths(&state.finished.files))?;
                if state.is_spooled {
                    staging.keep_only(staging.files(), &[])?;
                }
                state.finished.resumed += 1;
                let Finished { groups, rows, .. } = state.finished;
                info!(groups, rows, "resuming an export that was killed");
                return Ok((reader, Some(state)));
            }
            // No other process will close it.
            let keep_alive = request.options.keep_alive.to_duration();
            let left = client.point_in_time(&state.read.point_in_time, keep_alive);
            if let Err(error) = left.close().await {
                debug!(%error, "the point in time of a killed export was left to expire");
            }
        }
        staging.clear()?;
        Ok((IndexReader::open(client, request).await?, None))
    }

    /// The reader of a killed export, if it is of this export and all its files are there.
    async fn resume(&self, request: &ReadRequest, state: &State) -> Result<Option<IndexReader>, Error> {
        let Self { export, client, staging } = self;
        let why_not = if export.restart {
            "a start from scratch was requested"
        } else if state.fingerprint != plan::fingerprint(export, &client.info().cluster_uuid) {
            "it was another export"
        } else if !state.is_whole(&state.folder(staging)) {
            "files are missing"
        } else if let Some(reader) = IndexReader::resume(client, request.clone(), &state.read).await? {
            return Ok(Some(reader));
        } else {
            "the point in time is gone"
        };
        debug!("the state of a killed export is not used: {why_not}");
        Ok(None)
    }

    async fn read(&self, reader: &IndexReader, state: Option<State>, restarts: u32) -> Result<Read, Error> {
        let Self { export, client, staging } = self;
        let observer = &export.observer.after_restarts(restarts);
        let Columns { written, in_files, partitions, mut encoded } = Columns::plan(export, reader)?;

        let wanted = state.as_ref().map_or_else(|| plan::wanted_groups(export, reader.count()), |state| state.groups);
        let groups = plan::groups(reader.slices(), wanted);
        let split = match state.as_ref().and_then(|state| state.split.clone()).or_else(|| export.split.clone()) {
            Some(split) => {
                Some(forward::settled(split, client, &export.request, reader, self.token(), observer).await?)
            }
            None => None,
        };
        let is_spooled = matches!(encoded, Encoded::Afterwards(_));
        let from_scratch = Finished { restarted: restarts, ..Finished::default() };
        let finished = state.map_or(from_scratch, |state| state.finished);
        let saved = reader.saved().map(|read| State {
            fingerprint: plan::fingerprint(export, &client.info().cluster_uuid),
            read,
            split: split.clone(),
            groups: groups.len(),
            is_spooled,
            finished: finished.clone(),
        });
        if let Some(state) = &saved {
            state.save(staging)?;
        }
        let folder = if is_spooled { state::spool(staging) } else { staging.files().to_owned() };
        if let Encoded::Afterwards(fitter) = &mut encoded {
            encode_files::observe(&folder, &finished.files, plan::training_part(export), fitter)?;
        }
        let layout = Layout {
            folder,
            format: if is_spooled { encode_files::file_options() } else { export.files },
            parts: plan::parts(export),
            single: if is_spooled { None } else { plan::single(export) },
            written: written.iter_names().cloned().collect(),
            schema: in_files,
            partitions,
            transform: export.transform.clone(),
            split: split.clone().map(Arc::new),
            training_part: plan::training_part(export),
            max_open_partitions: export.options.max_open_partitions,
            max_held_bytes: bytes(export.options.held_bytes),
            cut_after: plan::cut_after(export, groups.len()),
        };
        let bytes = Arc::new(AtomicU64::new(0));
        if finished.rows > 0 {
            let bytes = finished.files.iter().map(|file| file.file.bytes).sum();
            let (rows, total) = (finished.rows, reader.count());
            observer.notify(Progress { phase: Phase::Reading, rows, bytes, total, restarts: 0 });
        }
        let left = &groups[finished.groups.min(groups.len())..];
        let files = Files::new(layout, staging.clone(), saved, finished, encoded, bytes.clone());
        let Written { finished, encoded } =
            forward::read_into(files, &bytes, reader, left, self.token(), observer).await?;
        reader.reconcile(finished.rows)?;
        Ok(Read { split, written, finished, encoded })
    }
}

/// The columns of an export, decided and checked before a row is read.
struct Columns {
    /// The columns that are written, those that are folders included.
    written: Schema,
    in_files: Schema,
    partitions: Partitions,
    encoded: Encoded,
}

impl Columns {
    fn plan(export: &Export, reader: &IndexReader) -> Result<Self, Error> {
        let written = plan::written_columns(export, &reader.schema())?;
        let in_files = plan::file_columns(export, &written)?;
        let partitions = Partitions::new(&export.partition_by, &written)?;
        let encoded = Encoded::plan(export, &in_files)?;
        encoded.check(&export.files, &in_files)?;
        Ok(Self { written, in_files, partitions, encoded })
    }
}

/// Opens the rows of an export and checks its columns, as a run does before it reads. The caller closes
/// the reader.
pub(super) async fn preview(export: &Export, client: &Client) -> Result<IndexReader, Error> {
    plan::check(export)?;
    let mut request = plan::read_request(export);
    name_columns(export, client, &mut request).await?;
    let reader = IndexReader::open(client, request).await?;
    match Columns::plan(export, &reader) {
        Ok(_) => Ok(reader),
        Err(error) => {
            close(reader).await;
            Err(error)
        }
    }
}

/// The result of reading and writing.
struct Read {
    split: Option<Split>,
    /// The columns that were written, those that are folders included.
    written: Schema,
    finished: Finished,
    encoded: Encoded,
}

/// Returns `true` if a read that failed may succeed with a new point in time. After a restart the cluster may
/// still be moving the shards of the node that left.
pub(super) fn restart_may_help(error: &Error, restarts: u32) -> bool {
    let is_passing = |error: &es_core::Error| error.is_retryable() || error.kind() == es_core::ErrorKind::PartialResult;
    error.kind() == ErrorKind::PointInTimeLost || (restarts > 0 && error.elasticsearch().is_some_and(is_passing))
}

/// Closes the read on the server. Rows that were read are complete whatever comes of it, and the
/// server closes it by itself after a while.
pub(super) async fn close(reader: IndexReader) {
    if let Err(error) = reader.close().await {
        warn!(%error, "a point in time was left to expire");
    }
}

/// Names all columns where the split or the partitions need one that is not among all fields.
async fn name_columns(export: &Export, client: &Client, request: &mut ReadRequest) -> Result<(), Error> {
    let added = plan::metadata(export);
    if added.is_empty() {
        return Ok(());
    }
    let all = IndexReader::open(client, request.clone()).await?;
    let mut names: Vec<String> = all.schema().iter_names().map(ToString::to_string).collect();
    close(all).await;
    for name in added {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if let Some(search) = request.search_mut() {
        search.columns = ColumnRequest::Named(names);
    }
    Ok(())
}
