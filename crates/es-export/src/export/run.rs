//! An export from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use es_core::Client;
use es_frame::ColumnRequest;
use polars::prelude::Schema;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::complete::Complete;
use super::encoding::Encoded;
use super::files::{Files, Layout, Written};
use super::outcome::Outcome;
use super::partition::Partitions;
use super::progress::{Phase, Progress};
use super::spool::Encode;
use super::state::{self, Finished, PartFile, State};
use super::{Export, forward, plan, spool};
use crate::commit::{Destination, Staging};
use crate::error::{Error, ErrorKind};
use crate::manifest::Manifest;
use crate::options::bytes;
use crate::read::{IndexReader, ReadRequest};
use crate::split::Split;

pub(super) async fn run(
    export: Export,
    client: &Client,
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<Manifest, Error> {
    plan::check(&export)?;
    let staging = Arc::new(Staging::enter(&export.destination)?);
    let cluster = &client.info().cluster_uuid;
    let (complete, encoded) = match Complete::left(&export, cluster, &staging)? {
        Some((complete, encoded)) => (complete, Some(encoded)),
        None => read_all(&export, client, &staging, cancel, observer).await?,
    };
    let in_files = plan::file_columns(&export, &complete.written)?;
    let files = match (encoded, &complete.encoders) {
        (Some(encoded), Some(encoders)) => {
            let encode = Encode {
                staging: staging.clone(),
                files: complete.finished.files.clone(),
                encoded,
                single: plan::single(&export),
                format: export.files,
                schema: in_files.clone(),
                encoders: encoders.clone(),
            };
            encode.run(complete.finished.rows, cancel, observer).await?
        }
        _ => complete.finished.files.clone(),
    };
    let in_files = match &complete.encoders {
        Some(encoders) => encoders.schema(&in_files)?,
        None => in_files,
    };
    let outcome = Outcome { export: &export, complete, in_files: &in_files, files };
    let manifest = outcome.manifest()?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| Error::new(ErrorKind::Io, "the manifest cannot be written").with_source(source))?;
    if cancel.is_cancelled() {
        return Err(forward::interrupted());
    }
    let committed = tokio::task::spawn_blocking(move || staging.commit(&text)).await;
    committed.map_err(|source| Error::new(ErrorKind::Io, "the commit failed").with_source(source))??;
    Ok(manifest)
}

/// Reads all rows, and writes them to where they go, or to where they wait to be encoded. Where
/// they wait, the files that are encoded by now are said as well: none.
async fn read_all(
    export: &Export,
    client: &Client,
    staging: &Arc<Staging>,
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<(Complete, Option<Vec<PartFile>>), Error> {
    let (reader, state) = begin(export, client, staging).await?;
    let read = read(export, client, &reader, state, staging, cancel, observer).await;
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

/// Frees what the server holds. Rows that were read are complete all the same, and the server
/// frees it by itself after a while.
async fn close(reader: IndexReader) {
    if let Err(error) = reader.close().await {
        warn!(%error, "a point in time was left to expire");
    }
}

/// A reader, and the state where a killed export is carried on.
async fn begin(export: &Export, client: &Client, staging: &Staging) -> Result<(IndexReader, Option<State>), Error> {
    let mut request = plan::read_request(export);
    name_columns(export, client, &mut request).await?;
    if let Destination::Folder(_) = export.destination {
        // So that a group, of as many slices as are read at once, has the rows of a file.
        let rows = u64::from(export.options.rows_per_file).div_ceil(request.options.concurrency.max(1) as u64);
        request.options.slice_rows = Some(rows.max(1));
    }
    if let Some(mut state) = State::read(staging) {
        // Where the server cannot be asked, what was left is left to the next run.
        let resumed = resume(export, client, &request, &state, staging).await.inspect_err(|_| staging.stay());
        if let Some(reader) = resumed? {
            staging.keep_only(&state.folder(staging), &state::paths(&state.finished.files))?;
            if state.is_spooled {
                staging.keep_only(staging.files(), &[])?;
            }
            state.finished.resumed += 1;
            info!(groups = state.finished.groups, rows = state.finished.rows, "carrying on an export that was killed");
            return Ok((reader, Some(state)));
        }
        // Nobody else will.
        let left = client.point_in_time(&state.read.point_in_time, request.options.keep_alive.to_duration());
        if let Err(error) = left.close().await {
            debug!(%error, "the point in time of a killed export was left to expire");
        }
    }
    staging.clear()?;
    Ok((IndexReader::open(client, request).await?, None))
}

/// Names all columns where what decides is not among all fields.
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

/// The reader of a killed export, if it is of this export and all its files are there.
async fn resume(
    export: &Export,
    client: &Client,
    request: &ReadRequest,
    state: &State,
    staging: &Staging,
) -> Result<Option<IndexReader>, Error> {
    let why_not = if export.restart {
        "a restart was asked for"
    } else if state.fingerprint != plan::fingerprint(export, &client.info().cluster_uuid) {
        "it was another export"
    } else if !state.is_whole(&state.folder(staging)) {
        "files are missing"
    } else if let Some(reader) = IndexReader::resume(client, request.clone(), &state.read).await? {
        return Ok(Some(reader));
    } else {
        "the point in time is gone"
    };
    debug!("what a killed export left is not used: {why_not}");
    Ok(None)
}

/// What was read and written.
struct Read {
    split: Option<Split>,
    /// The columns that were written, those that are folders included.
    written: Schema,
    finished: Finished,
    encoded: Encoded,
}

async fn read(
    export: &Export,
    client: &Client,
    reader: &IndexReader,
    state: Option<State>,
    staging: &Arc<Staging>,
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<Read, Error> {
    let written = plan::written_columns(export, &reader.schema())?;
    let in_files = plan::file_columns(export, &written)?;
    let partitions = Partitions::new(&export.partition_by, &written)?;
    let mut encoded = Encoded::plan(export, &in_files)?;
    encoded.check(&export.files, &in_files)?;

    let wanted = state.as_ref().map_or_else(|| plan::wanted_groups(export, reader.count()), |state| state.groups);
    let groups = plan::groups(reader.slices(), wanted);
    let split = match state.as_ref().and_then(|state| state.split.clone()).or_else(|| export.split.clone()) {
        Some(split) => Some(forward::settled(split, client, &export.request, reader, cancel, observer).await?),
        None => None,
    };
    let is_spooled = matches!(encoded, Encoded::Afterwards(_));
    let finished = state.map_or_else(Finished::default, |state| state.finished);
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
        spool::observe(&folder, &finished.files, plan::training_part(export), fitter)?;
    }
    let layout = Layout {
        folder,
        format: if is_spooled { spool::file_options() } else { export.files },
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
        observer(Progress { phase: Phase::Reading, rows: finished.rows, bytes, total: reader.count() });
    }
    let left = &groups[finished.groups.min(groups.len())..];
    let files = Files::new(layout, staging.clone(), saved, finished, encoded, bytes.clone());
    let Written { finished, encoded } = forward::read_into(files, &bytes, reader, left, cancel, observer).await?;
    reader.reconcile(finished.rows)?;
    Ok(Read { split, written, finished, encoded })
}
