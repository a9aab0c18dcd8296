//! Encoded columns, whose statistics come from the training part alone.

use std::path::Path;
use std::time::Duration;

use es_export::encode::Encoder;
use es_export::{Destination, Encoding, ErrorKind, Format, Phase, Progress, Split};
use polars::prelude::*;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::files::parts;
use crate::support::{
    contents, export, fields, index_of, live, named, names, rows, run, small_pages, sorted, split, until_closed,
};

#[tokio::test]
async fn statistics_are_of_the_training_part_and_serve_other_rows() {
    let Some((client, scope)) = live("encoded").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(300);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let mut export = export(named(small_pages(&index), &["k", "n", "g", "x"]), &folder, Some(split("k")));
    export.encodings = [("g", Encoding::Codes), ("n", Encoding::Standard)]
        .map(|(name, encoding)| (name.to_owned(), encoding))
        .into_iter()
        .collect();
    export.options.rows_per_file = 80;
    let manifest = run(export.clone(), &client).await.unwrap();
    let encoded = parts(&manifest, &folder);
    assert_eq!(names(scratch.path()), ["set"]);
    assert!(manifest.parts[0].files.len() > 1);

    let plain = split("k").apply(&frame).unwrap();
    let training = plain[0].column("n").unwrap().f64_values();
    let mean = training.iter().sum::<f64>() / training.len() as f64;
    let variance = training.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / training.len() as f64;
    let encoders = manifest.encoders.as_ref().unwrap();
    assert_eq!(encoders.rows, training.len() as u64);
    let found = encoders.columns.iter().find(|column| column.column == "n").unwrap();
    let Encoder::Standard { mean: found, std, .. } = &found.encoder else { panic!("{found:?}") };
    assert!((found - mean).abs() < 1e-9 && (std - variance.sqrt()).abs() < 1e-9, "{found} {std}");
    // What the manifest says does to other rows what was done to these.
    for ((_, part), plain) in encoded.iter().zip(&plain) {
        let expected = encoders.apply(&plain.select(["k", "n", "g", "x"]).unwrap()).unwrap();
        assert!(sorted(part, "k").equals_missing(&sorted(&expected, "k")), "{part} {expected}");
    }

    export.training_part = Some("test".into());
    let other = run(export.clone(), &client).await.unwrap();
    assert_eq!(other.encoders.unwrap().rows, plain[2].height() as u64);
    export.training_part = Some("nope".into());
    assert_eq!(run(export, &client).await.unwrap_err().to_string(), "there is no part nope to train on");
    until_closed(&client, &index).await;
}

trait Floats {
    fn f64_values(&self) -> Vec<f64>;
}

impl Floats for Column {
    fn f64_values(&self) -> Vec<f64> {
        self.cast(&DataType::Float64).unwrap().f64().unwrap().into_no_null_iter().collect()
    }
}

#[tokio::test]
async fn a_matrix_is_encoded_on_the_way_or_afterwards() {
    let Some((client, scope)) = live("matrix").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(60), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    // Numbers alone need no statistics, and texts become codes.
    for (columns, width) in [(vec!["n", "x"], 2), (vec!["n", "x", "g"], 3)] {
        let file = scratch.path().join("rows.npy");
        let mut export = export(named(small_pages(&index), &columns), &file, None);
        export.destination = Destination::File(file.clone());
        export.files = Format::Npy.into();
        let manifest = run(export, &client).await.unwrap();
        assert_eq!((manifest.rows, manifest.columns.len()), (60, width));
        assert!(manifest.encoders.is_some());
        let description = manifest.parts[0].files[0].description.clone().unwrap();
        assert_eq!(names(scratch.path()), ["rows.npy", description.as_str(), "rows.npy.manifest.json"]);
        let header = String::from_utf8_lossy(&std::fs::read(&file).unwrap()[..100]).into_owned();
        assert!(header.contains(&format!("(60, {width})")), "{header}");
    }
}

#[tokio::test]
async fn an_encoding_that_does_not_fit_is_told_before_rows_are_read() {
    let Some((client, scope)) = live("misfit").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(60), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let mut export = export(small_pages(&index), &scratch.path().join("set"), None);
    let table = [
        ("g", Encoding::Standard, "standard takes numbers and booleans"),
        ("gg", Encoding::Codes, "did you mean `g`?"),
        ("nope", Encoding::Codes, "the columns are g, k, n, x"),
    ];
    for (name, encoding, help) in table {
        export.encodings = [(name.to_owned(), encoding)].into_iter().collect();
        let error = run(export.clone(), &client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Column, "{error}");
        assert_eq!(error.help(), Some(help));
    }
    assert!(contents(scratch.path()).is_empty());
    until_closed(&client, &index).await;
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in contents(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
}

/// The paths of the files that an export has encoded so far.
fn encoded(staging: &Path) -> Vec<String> {
    let list = std::fs::read_to_string(staging.join("encoded.ndjson")).unwrap_or_default();
    let files = list.lines().map_while(|line| serde_json::from_str::<Value>(line).ok());
    files.map(|file| file["file"]["path"].as_str().unwrap().to_owned()).collect()
}

/// Waits until an export has encoded so many files, and removed what had waited for it.
fn until_encoded(staging: &Path, files: usize) {
    for _ in 0..3_000 {
        let waited = encoded(staging).get(files - 1).map(|path| path.replace(".parquet", ".arrows"));
        if waited.is_some_and(|path| !staging.join("spool").join(path).exists()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the export has not encoded {files} files within half a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_while_it_encodes_goes_on_without_the_index() {
    let Some((client, scope)) = live("encoding").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(600);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let (folder, staging) = (scratch.path().join("set"), scratch.path().join(".set.staging"));
    let parts_of = [("train", 0.6), ("test", 0.4)].map(|(name, share)| (name.to_owned(), share)).to_vec();
    let split = Split::by_group(vec!["k".into()], 7, parts_of).unwrap();
    let columns = ["k", "n", "g", "x"];
    let mut export = export(named(small_pages(&index), &columns), &folder, Some(split.clone()));
    export.encodings = [("g", Encoding::OneHot), ("n", Encoding::Standard)]
        .map(|(name, encoding)| (name.to_owned(), encoding))
        .into_iter()
        .collect();
    export.options.rows_per_file = 100;

    // What a kill would leave is copied while the export waits for its observer. Each file is one, and the
    // writer is no more than two ahead.
    let (killed, cancel) = (scratch.path().join("killed"), CancellationToken::new());
    let observer = {
        let (staging, killed, cancel) = (staging.clone(), killed.clone(), cancel.clone());
        move |step: Progress| {
            if step.phase == Phase::Encoding && !killed.exists() {
                until_encoded(&staging, 3);
                copy(&staging, &killed);
                cancel.cancel();
            }
        }
    };
    let cancelled = export.clone().with_cancellation(cancel).with_observer(observer);
    let error = cancelled.run(&client).await.unwrap_err();
    assert_eq!((error.kind(), staging.exists()), (ErrorKind::Interrupted, false));
    until_closed(&client, &index).await;

    // Where a file that waited is missing, it starts from scratch.
    copy(&killed, &staging);
    let waiting = contents(&staging.join("spool")).into_keys().next().unwrap();
    std::fs::remove_file(waiting).unwrap();
    let scratched = run(export.clone(), &client).await.unwrap();
    assert_eq!((scratched.resumed, scratched.rows), (0, 600));
    assert!(scratched.files().count() > 6, "{}", scratched.files().count());

    client.indices().delete(&index).await.unwrap();
    copy(&killed, &staging);
    // A kill leaves a file half, and a line of the list.
    std::fs::write(staging.join("files/train/part-00009.parquet"), "half").unwrap();
    let list = std::fs::read_to_string(staging.join("encoded.ndjson")).unwrap();
    std::fs::write(staging.join("encoded.ndjson"), format!("{list}{{\"part\":0,\"fi")).unwrap();
    let identity = |path: &Path| {
        let found = std::fs::metadata(path).unwrap();
        (std::os::unix::fs::MetadataExt::ino(&found), found.modified().unwrap())
    };
    let paths = encoded(&staging);
    let before: Vec<_> = paths.iter().map(|path| identity(&staging.join("files").join(path))).collect();
    let steps = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let observer = {
        let steps = steps.clone();
        move |step: Progress| steps.lock().unwrap().push((step.phase, step.rows))
    };
    let manifest = export.with_observer(observer).run(&client).await.unwrap();
    assert_eq!((manifest.resumed, manifest.rows, paths.len()), (1, 600, 3));
    let after: Vec<_> = paths.iter().map(|path| identity(&folder.join(path))).collect();
    assert_eq!(after, before, "they were not written again");
    let steps = steps.lock().unwrap().clone();
    assert!(steps.iter().all(|(phase, _)| *phase == Phase::Encoding), "{steps:?}");
    let of_encoded: u64 = manifest.files().take_while(|file| paths.contains(&file.path)).map(|file| file.rows).sum();
    assert!(steps[0].1 >= of_encoded, "the first step has the rows of the encoded files");
    assert_eq!(steps.iter().map(|(_, rows)| rows).sum::<u64>(), 600);
    assert_eq!(
        (&manifest.columns, &manifest.split, &manifest.proof),
        (&scratched.columns, &scratched.split, &scratched.proof)
    );
    let left: Value = serde_json::from_slice(&std::fs::read(killed.join("complete.json")).unwrap()).unwrap();
    let encoders = manifest.encoders.as_ref().unwrap();
    assert_eq!(serde_json::to_value(encoders).unwrap(), left["complete"]["encoders"], "what was learnt stays");
    for ((name, part), plain) in parts(&manifest, &folder).iter().zip(split.apply(&frame).unwrap()) {
        let expected = encoders.apply(&plain.select(columns).unwrap()).unwrap();
        assert!(sorted(part, "k").equals_missing(&sorted(&expected, "k")), "{name}");
    }
    assert_eq!(names(scratch.path()), ["killed", "set"]);
}
