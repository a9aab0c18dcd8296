//! `ingest`: files into an index, without a pipeline. A load that was cut off is carried on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::settings::RejectionLimit;
use es_bulk::files::{FileFormat, FileIdentity};
use es_bulk::{Finish, InitialLoad, InitialLoadOptions, Summary};
use es_core::{Client, NewIndex};
use es_frame::VectorForm;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::source::{Making, Place, Source};
use super::target::{Target, body_json};
use crate::delivery::{self, Delivered, Delivery};
use crate::error::Error;
use crate::feed::Outlet;
use crate::project::Workplace;
use crate::settings::batch_limits;
use crate::store::loads::{Keeper, LoadFile, SavedLoad};
use crate::engine::progress::Progress;
use crate::terminal::table::counted;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is read.
    pub place: Place,
    /// The format of the files, unless their names tell.
    pub format: Option<FileFormat>,
    /// The index, alias or data stream.
    pub to: String,
    /// How documents are made.
    pub making: Making,
    /// The ingest pipeline that they go through.
    pub pipeline: Option<String>,
    /// How many may be rejected, unless the settings say it.
    pub max_rejected: Option<RejectionLimit>,
    /// Segments of each shard of a new index, unless the settings say it.
    pub force_merge: Option<u32>,
    /// Whether an earlier load is left as it is, and this one begins anew.
    pub restart: bool,
}

/// What a load would do.
#[derive(Debug)]
pub struct Prospect {
    /// Whether the index exists.
    pub exists: bool,
    /// What is read.
    pub files: Vec<String>,
    /// How many rows that is, where the format tells.
    pub rows: Option<u64>,
    /// What the index would be created with.
    pub body: Value,
}

/// What a load did, however it ended.
#[derive(Debug)]
pub struct Ending {
    /// What became of all documents, those of a process before this one included.
    pub whole: Summary,
    /// What became of those of this process.
    pub here: Summary,
    /// Where the rejected ones are.
    pub dead_letter: Option<PathBuf>,
    /// Why it did not end well.
    pub failure: Option<Error>,
}

/// Looks at everything, and changes nothing.
///
/// # Errors
/// What a load would fail with before its first document.
pub async fn look(client: &Client, order: Order, cancel: &CancellationToken) -> Result<Prospect, Error> {
    let target = Target::look(client, &order.to).await?;
    let source = open(&order, cancel).await?;
    let body = if target.exists() { Value::Null } else { body_json(&body(&source, &order)?) };
    Ok(Prospect { exists: target.exists(), files: source.names(), rows: source.rows, body })
}

/// Loads.
///
/// # Errors
/// What fails before the first document; what fails after it is in the [`Ending`].
pub async fn load(
    work: &Workplace,
    client: &Client,
    mut order: Order,
    cancel: &CancellationToken,
    progress: Progress,
) -> Result<Ending, Error> {
    order.making.writer.vectors = VectorForm::best_for(client.info().version);
    let mut target = Target::look(client, &order.to).await?;
    let source = open(&order, cancel).await?;
    // What is wrong with the columns is told before anything is made.
    let body = body(&source, &order)?;
    target.takes(order.making.writer.operation)?;

    let file = LoadFile::new(&work.folder, &load_name(&order.to, &source.identities));
    let Some(_lock) = file.lock()? else {
        let message = format!("another process is loading these files into {}", order.to);
        return Err(Error::config(message).with_help(Some("wait for its end, or stop it")));
    };
    let definition = definition(&order);
    // An index that was made anew since has nothing of an earlier load.
    let earlier = file.read()?.filter(|earlier| target.exists() && earlier.index_uuid == target.uuid());
    if let Some(earlier) = &earlier {
        if !order.restart {
            refuse_to_carry_on(earlier, &definition, &source.identities)?;
        }
    }
    let is_new = !target.exists();
    if is_new {
        target.create(client, &body).await?;
    } else if let Some(declared) = &order.making.declared {
        target.extend(client, declared).await?;
    }
    let settings = earlier.as_ref().and_then(|earlier| earlier.settings.clone());
    let mut initial = match settings {
        Some(settings) => Some(InitialLoad::resume(client, &order.to, settings)),
        None if is_new => Some(InitialLoad::of(client, &order.to, InitialLoadOptions::default()).await?),
        None => None,
    };
    let earlier = earlier.filter(|_| !order.restart);
    let run = earlier.as_ref().map_or_else(|| uuid::Uuid::now_v7().to_string(), |earlier| earlier.run.clone());
    let saved = SavedLoad {
        index: order.to.clone(),
        index_uuid: target.uuid(),
        definition,
        files: source.identities.clone(),
        run: run.clone(),
        repeatable: !order.making.writer.id.is_empty(),
        settings: initial.as_ref().map(|initial| initial.original().clone()),
        reached: earlier.map(|earlier| earlier.reached).unwrap_or_default(),
    };
    let before = saved.reached.clone();
    let keeper = match order.place {
        Place::Files(_) => Some(Arc::new(Keeper::start(file, saved, false)?)),
        Place::Standard => None,
    };
    if let Some(initial) = &mut initial {
        initial.begin().await?;
    }

    if let Some(rows) = source.rows {
        progress.set_total(rows);
    }
    progress.resume_after(before.summary.read);
    let delivery = Delivery {
        client,
        settings: &work.settings,
        index: &order.to,
        pipeline: order.pipeline.as_deref(),
        max_rejected: order.max_rejected.unwrap_or(work.settings.bulk.max_rejected),
        letter: delivery::letter(&work.folder, &order.to, &run),
        before: &before,
        keeper: keeper.clone(),
        cancel,
    };
    let letter = delivery.letter.clone();
    let (making, limits, from) = (order.making.clone(), batch_limits(&work.settings.bulk), before.clone());
    let read = move |outlet: &Outlet| source.read(&making, limits, &from, outlet);
    let Delivered { summary: here, mut failure } = delivery.run_reading(read, progress).await;
    let merge = order.force_merge.or(work.settings.bulk.force_merge_segments);
    if let Err(error) = make_searchable(client, &order.to, initial, merge, failure.is_none()).await {
        failure.get_or_insert(error);
    }
    if let Some(keeper) = keeper {
        match &failure {
            None => keeper.forget(),
            Some(_) => keeper.keep(),
        }
    }
    let mut whole = before.summary;
    whole.merge(&here);
    Ok(Ending { whole, here, dead_letter: delivery::written(&letter), failure })
}

/// Puts the settings of the index back, and makes its documents searchable.
async fn make_searchable(
    client: &Client,
    index: &str,
    initial: Option<InitialLoad>,
    force_merge: Option<u32>,
    is_whole: bool,
) -> Result<(), Error> {
    let finish = Finish { force_merge, ..Finish::default() };
    match initial {
        Some(initial) if is_whole => {
            initial.finish(&finish).await.map_err(|error| Error::from(error).within("after the load"))
        }
        Some(initial) => {
            let put_back = initial.put_back().await;
            put_back.map_err(|error| Error::from(error).within("the settings of the index cannot be put back"))
        }
        None => Ok(client.with_retry(finish.retry).indices().refresh(index).await?),
    }
}

/// Looks at the beginning of the files. That of standard input may never come.
async fn open(order: &Order, cancel: &CancellationToken) -> Result<Source, Error> {
    let (place, format, writer) = (order.place.clone(), order.format, order.making.writer.clone());
    let opened = tokio::select! {
        opened = tokio::task::spawn_blocking(move || Source::open(place, format, &writer)) => opened,
        () = cancel.cancelled() => return Err(Error::interrupted_early()),
    };
    opened.map_err(|error| Error::failed(format!("looking at the files failed: {error}")))?
}

/// What the index is created with.
fn body(source: &Source, order: &Order) -> Result<NewIndex, Error> {
    let mapping = source.mapping(&order.making)?;
    let settings = order.making.declared.as_ref().map(|declared| declared.settings.clone()).unwrap_or_default();
    Ok(NewIndex { mapping, settings })
}

/// The name of a load: the same files into the same index are the same load.
fn load_name(index: &str, files: &[FileIdentity]) -> String {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    format!("{index}-{:016x}", xxh3_64(paths.join("\n").as_bytes()))
}

/// What decides which documents the files become.
fn definition(order: &Order) -> String {
    let writer = &order.making.writer;
    let text = json!({
        "id": writer.id, "operation": writer.operation.as_str(), "routing": writer.routing, "version": writer.version,
        "names": format!("{:?}", writer.names), "non_finite": format!("{:?}", writer.non_finite),
        "undeclared": order.making.undeclared, "format": order.format.map(|format| format.to_string()),
        "mapping": order.making.declared.as_ref().map(|declared| &declared.mapping), "pipeline": order.pipeline,
    });
    format!("{:016x}", xxh3_64(text.to_string().as_bytes()))
}

/// Refuses to carry on what an earlier process began, where that would not come to the end that
/// it would have come to.
fn refuse_to_carry_on(earlier: &SavedLoad, definition: &str, files: &[FileIdentity]) -> Result<(), Error> {
    let refused = |why: String, help: &str| Err(Error::config(why).with_help(Some(help)));
    let SavedLoad { index, reached, .. } = earlier;
    let rows = counted(reached.summary.read, "row");
    let so_far = format!("an earlier load of these files into {index} was cut off after {rows}");
    if earlier.definition != definition {
        return refused(
            format!("{so_far}, and its options were other ones"),
            "give the same options to carry it on, or --restart to begin anew",
        );
    }
    let changed = earlier.files.iter().zip(files).find(|(before, now)| before != now);
    if let Some((file, _)) = changed.filter(|_| reached.checkpoint.is_some()) {
        return refused(
            format!("{so_far}, and {} has changed since", file.path),
            "give --restart to load everything anew; documents with the same ids are written over",
        );
    }
    if !earlier.repeatable {
        return refused(
            format!("{so_far}; without ids, carrying it on could double documents that were on their way"),
            "remove the index, or give --restart to load everything once more into it",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::loads::Reached;

    fn saved() -> SavedLoad {
        let modified = Timestamp::UNIX_EPOCH;
        SavedLoad {
            index: "i".into(),
            index_uuid: "u".into(),
            definition: "d".into(),
            files: vec![FileIdentity { path: "a.csv".into(), bytes: 1, modified }],
            run: "r".into(),
            repeatable: true,
            settings: None,
            reached: Reached {
                checkpoint: Some(es_bulk::Checkpoint { file: "a.csv".into(), place: Default::default(), row: 7 }),
                summary: Summary { read: 7, created: 7, ..Summary::default() },
                ..Reached::default()
            },
        }
    }

    #[test]
    fn only_the_same_load_of_a_process_that_is_gone_is_carried_on() {
        let saved = saved();
        let refusal = |saved: &SavedLoad, definition: &str, files: &[FileIdentity]| {
            refuse_to_carry_on(saved, definition, files).err().map(|failure| failure.to_string())
        };
        let files = saved.files.clone();
        assert_eq!(refusal(&saved, "d", &files), None);
        let so_far = "an earlier load of these files into i was cut off after 7 rows";
        assert_eq!(refusal(&saved, "e", &files), Some(format!("{so_far}, and its options were other ones")));
        let larger = FileIdentity { bytes: 2, ..files[0].clone() };
        assert_eq!(
            refusal(&saved, "d", std::slice::from_ref(&larger)),
            Some(format!("{so_far}, and a.csv has changed since"))
        );
        let without_ids = SavedLoad { repeatable: false, ..saved.clone() };
        assert!(refusal(&without_ids, "d", &files).unwrap().starts_with(&format!("{so_far}; without ids")));
        let nothing_yet = SavedLoad { reached: Reached::default(), ..saved.clone() };
        assert_eq!(refusal(&nothing_yet, "d", &[larger]), None);
    }

    #[test]
    fn the_same_files_into_the_same_index_are_the_same_load() {
        let file = |path: &str, bytes| FileIdentity { path: path.into(), bytes, modified: Timestamp::UNIX_EPOCH };
        let name = load_name("i", &[file("a", 1), file("b", 1)]);
        assert_eq!(name, load_name("i", &[file("a", 2), file("b", 2)]));
        assert!(
            name.starts_with("i-")
                && name != load_name("i", &[file("a", 1)])
                && name != load_name("j", &[file("a", 1), file("b", 1)])
        );
    }
}
