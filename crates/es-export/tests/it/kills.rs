//! Exports that are killed: the destination is as it was or whole, and the next run resumes. The process that is killed is the example `export_index`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use es_export::{Destination, Export, Manifest, ReadRequest, Split};
use polars::prelude::DataFrame;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::files::parts;
use crate::support::{fields, index_of, live, matching, names, open_contexts, rows, run, sorted, until_closed};

const ROWS: i64 = 12_000;
const PAGE_SIZE: u32 = 40;
const ROWS_PER_FILE: u32 = 1_500;

/// The example beside this test's program. `cargo test` builds it.
fn example() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let path = program.parent().unwrap().parent().unwrap().join("examples/export_index");
    assert!(path.exists(), "{} is not there: run `cargo build -p es-export --examples`", path.display());
    path
}

/// Starts an export in a process of its own.
async fn start(index: &str, folder: &Path) -> Child {
    let node = es_testing::plain().await.unwrap();
    let mut command = Command::new(example());
    command.arg(index).arg(folder).arg(PAGE_SIZE.to_string()).arg(ROWS_PER_FILE.to_string());
    let variables = [
        ("ELASTICSEARCH_URL", Some(&node.url)),
        ("ELASTICSEARCH_API_KEY", node.api_key.as_ref()),
        ("ELASTICSEARCH_USER", node.username.as_ref()),
        ("ELASTICSEARCH_PASSWORD", node.password.as_ref()),
    ];
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The same export as the example's.
fn export(index: &str, folder: &Path) -> Export {
    let mut export = Export::new(ReadRequest::new(index), Destination::Folder(folder.to_owned()));
    export.request.options.page_size = PAGE_SIZE;
    export.options.rows_per_file = ROWS_PER_FILE;
    let parts = [("train", 0.8), ("test", 0.2)].map(|(name, share)| (name.to_owned(), share));
    export.split = Some(Split::by_hash(vec!["_id".to_owned()], 7, parts.to_vec()).unwrap());
    export
}

fn together(manifest: &Manifest, folder: &Path) -> DataFrame {
    let parts = parts(manifest, folder).into_iter().map(|(_, part)| part);
    let whole = parts.reduce(|all, part| all.vstack(&part).unwrap()).unwrap();
    assert!(whole.column("_id").is_err(), "what decides and is no field is not written");
    sorted(&whole.select(["k", "n", "g", "x"]).unwrap(), "k")
}

/// Waits until the export has so many finished groups, and says which files these are of.
fn until_finished(folder: &Path, groups: u64) -> Vec<PathBuf> {
    let staging = folder.with_file_name(format!(".{}.staging", folder.file_name().unwrap().to_str().unwrap()));
    let given_up = Instant::now() + Duration::from_secs(60);
    while Instant::now() < given_up {
        let state = std::fs::read(staging.join("state.json")).ok();
        let state: Option<Value> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(state) = state.filter(|state| state["finished"]["groups"].as_u64() >= Some(groups)) {
            let files = state["finished"]["files"].as_array().unwrap().clone();
            return files
                .iter()
                .map(|file| staging.join("files").join(file["file"]["path"].as_str().unwrap()))
                .collect();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the export has not finished {groups} groups within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_export_is_resumed_after_its_finished_files() {
    let Some((client, scope)) = live("carry_on").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(ROWS);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let mut child = start(&index, &folder).await;
    let finished = until_finished(&folder, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.exists());
    let identity = |path: &Path| {
        let found = std::fs::metadata(path).unwrap();
        (std::os::unix::fs::MetadataExt::ino(&found), found.modified().unwrap())
    };
    let before: BTreeMap<PathBuf, _> = finished.iter().map(|path| (path.clone(), identity(path))).collect();

    // Documents of after the kill are not in the point in time that is resumed.
    crate::support::bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"late\",\"n\":1}\n".to_vec()).await;
    let first_step = Arc::new(AtomicU64::new(0));
    let observer = {
        let first_step = first_step.clone();
        move |step: es_export::Progress| {
            let _ = first_step.compare_exchange(0, step.rows, Ordering::SeqCst, Ordering::SeqCst);
        }
    };
    let manifest = export(&index, &folder).with_observer(observer).run(&client).await.unwrap();
    assert_eq!((manifest.resumed, manifest.rows), (1, ROWS as u64));
    assert!(
        first_step.load(Ordering::SeqCst) >= u64::from(ROWS_PER_FILE / 2),
        "the first step has the rows of the finished files"
    );
    assert!(together(&manifest, &folder).equals_missing(&frame));
    assert_eq!(manifest.proof.as_ref().unwrap().whole.sum.rows, ROWS as u64);
    for (path, identity_before) in before {
        let relative = path.strip_prefix(scratch.path().join(".set.staging/files")).unwrap().to_owned();
        assert_eq!(identity(&folder.join(relative)), identity_before, "it was not written again");
    }
    assert_eq!(names(scratch.path()), ["set"]);
    assert_eq!(open_contexts(&client, &index).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_cannot_be_resumed_starts_from_scratch() {
    let Some((client, scope)) = live("anew").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(ROWS);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    for case in ["request", "restart", "missing", "cut off", "state", "expired"] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("set");
        let mut child = start(&index, &folder).await;
        let finished = until_finished(&folder, 1);
        child.kill().unwrap();
        child.wait().unwrap();
        let state = scratch.path().join(".set.staging/state.json");
        let mut next = export(&index, &folder);
        let mut expected = frame.clone();
        match case {
            "request" => {
                next.request = matching(next.request, json!({"range": {"n": {"lt": 5_000}}}));
                expected = frame.head(Some(5_000));
            }
            "restart" => next.restart = true,
            "missing" => std::fs::remove_file(&finished[0]).unwrap(),
            "cut off" => std::fs::File::options().write(true).open(&finished[0]).unwrap().set_len(10).unwrap(),
            "state" => std::fs::write(&state, "{").unwrap(),
            _ => {
                let text = std::fs::read(&state).unwrap();
                let saved: Value = serde_json::from_slice(&text).unwrap();
                let id = saved["read"]["point_in_time"].as_str().unwrap();
                client.point_in_time(id, Duration::from_secs(1)).close().await.unwrap();
            }
        }
        let manifest = run(next, &client).await.unwrap();
        assert_eq!(manifest.resumed, 0, "{case}");
        assert!(together(&manifest, &folder).equals_missing(&expected), "{case}");
        assert_eq!(names(scratch.path()), ["set"], "{case}");
        if case != "state" {
            // The point in time that is not resumed is closed as well.
            until_closed(&client, &index).await;
        }
        // Without a state its id is lost, and the server closes it after a while.
        client.indices().delete(&index).await.unwrap();
        index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    }
}

/// The export that a reader finds at the destination: each time a whole one.
fn inspect(folder: &Path) -> Result<Option<Manifest>, String> {
    // The folder may be replaced between the manifest and the files: then it is read
    // again. An export that is whole stays long enough to be seen twice the same.
    for _ in 0..50 {
        let Some(manifest) = Manifest::read(folder).map_err(|error| error.to_string())? else {
            match folder.exists() {
                // It may have come just now.
                true if Manifest::read(folder).is_ok_and(|manifest| manifest.is_some()) => continue,
                true => return Err("a folder without a manifest".to_owned()),
                false => return Ok(None),
            }
        };
        let wrong = manifest.files().find(|file| {
            let bytes = std::fs::read(folder.join(&file.path)).unwrap_or_default();
            bytes.len() as u64 != file.bytes || hex::encode(Sha256::digest(&bytes)) != file.sha256
        });
        let Some(wrong) = wrong else { return Ok(Some(manifest)) };
        if Manifest::read(folder).ok().flatten().as_ref() == Some(&manifest) {
            return Err(format!("{} is not as its manifest says", wrong.path));
        }
    }
    Err("it never stays the same".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_any_moment_leave_what_was_there_or_the_new_whole() {
    let Some((client, scope)) = live("kills").await else { return };
    // `EXPORT_KILLS=50` for a long run.
    let kills: u32 = std::env::var("EXPORT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let index = format!("{}a", scope.prefix());
    let frame = rows(ROWS);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let mut first = export(&index, &folder);
    first.request = matching(first.request, json!({"range": {"n": {"lt": 100}}}));
    run(first, &client).await.unwrap();

    // How long a whole run takes, to kill at any moment of it.
    let aside = scratch.path().join("aside");
    let begun = Instant::now();
    assert!(start(&index, &aside).await.wait().unwrap().success());
    let whole_run = begun.elapsed();
    std::fs::remove_dir_all(&aside).unwrap();

    let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watcher = {
        let (stop, looks, folder) = (stop.clone(), looks.clone(), folder.clone());
        std::thread::spawn(move || {
            let mut seen = std::collections::BTreeSet::new();
            while !stop.load(Ordering::SeqCst) {
                let manifest = inspect(&folder)?.ok_or("the destination was gone")?;
                seen.insert(manifest.rows);
                looks.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, String>(seen)
        })
    };
    let mut killed = 0;
    for kill in 0..kills {
        let mut child = start(&index, &folder).await;
        // Moments that are spread over the run, and not the same each time.
        let moment = whole_run.mul_f64(f64::from(kill + 1) / f64::from(kills + 1));
        tokio::time::sleep(moment.mul_f64(fastrand::f64() * 0.4 + 0.6)).await;
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 0, "no export was killed");
    let manifest = run(export(&index, &folder), &client).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    let seen = watcher.join().unwrap().unwrap();
    assert!(looks.load(Ordering::SeqCst) > u64::from(kills));
    assert!(seen.iter().all(|rows| [100, ROWS as u64].contains(rows)), "{seen:?}");

    assert_eq!(manifest.rows, ROWS as u64);
    let found = together(&manifest, &folder);
    assert!(found.equals_missing(&frame), "rows are equal by their ids and contents");
    assert_eq!(names(scratch.path()), ["set"]);
}
