//! Exports: files, parts, manifests, and one export in the place of another.

use std::collections::BTreeSet;
use std::path::Path;

use es_export::{Compression, ErrorKind, KeySum, MANIFEST_FILE, Manifest, ReadBy};
use polars::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::{
    contents, export, fields, index_of, live, matching, named, names, open_contexts, parquet, row_groups, rows, run,
    small_pages, sorted, split, until_closed,
};

/// Every part of an export, read from its files after what the manifest says of them was
/// found true.
pub(crate) fn parts(manifest: &Manifest, folder: &Path) -> Vec<(String, DataFrame)> {
    assert_eq!(Manifest::read(folder).unwrap().as_ref(), Some(manifest), "the manifest on disk is the one returned");
    assert!(manifest.files_are_there(folder));
    let listed: BTreeSet<_> = manifest.files().map(|file| folder.join(&file.path)).collect();
    let found: BTreeSet<_> = contents(folder).into_keys().filter(|path| !path.ends_with(MANIFEST_FILE)).collect();
    assert_eq!(listed, found, "the manifest lists the files, and no others");
    let part = |part: &es_export::ManifestPart| {
        let mut whole: Option<DataFrame> = None;
        for file in &part.files {
            let path = folder.join(&file.path);
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes);
            assert_eq!(hex::encode(Sha256::digest(&bytes)), file.sha256);
            let frame = parquet(&path);
            assert_eq!(frame.height() as u64, file.rows);
            whole = Some(whole.map_or(frame.clone(), |whole| whole.vstack(&frame).unwrap()));
        }
        let whole = whole.unwrap();
        assert_eq!(whole.height() as u64, part.rows);
        (part.name.clone(), whole)
    };
    let parts: Vec<_> = manifest.parts.iter().map(part).collect();
    assert_eq!(parts.iter().map(|(_, frame)| frame.height() as u64).sum::<u64>(), manifest.rows);
    assert_eq!(manifest.source.limit.or(manifest.source.matched), Some(manifest.rows));
    parts
}

#[tokio::test]
async fn parts_are_disjoint_and_together_the_index() {
    let Some((client, scope)) = live("parts").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(500);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("deep/er/set");
    let mut export = export(named(small_pages(&index), &["k", "n", "g", "x"]), &folder, Some(split("k")));
    export.files = row_groups(50, Compression::Zstd);
    export.notes = json!({"asset": "training_set"});
    let manifest = run(export, &client).await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 0);

    assert_eq!(names(&folder), [MANIFEST_FILE, "test", "train", "validation"]);
    assert_eq!(names(folder.parent().unwrap()), ["set"], "nothing is left beside it");
    let parts = parts(&manifest, &folder);
    assert_eq!(parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["train", "validation", "test"]);
    let mut all: Option<DataFrame> = None;
    for (_, part) in &parts {
        assert!((50..400).contains(&part.height()), "{}", part.height());
        all = Some(all.map_or(part.clone(), |all| all.vstack(part).unwrap()));
    }
    // Equal to the source: complete, and no row in two parts.
    assert!(sorted(&all.unwrap(), "k").equals_missing(&frame));
    // Each row is where its key puts it.
    for ((_, part), expected) in parts.iter().zip(split("k").apply(&frame).unwrap()) {
        assert!(sorted(part, "k").equals_missing(&sorted(&expected, "k")));
    }

    assert_eq!((manifest.rows, manifest.manifest_version, manifest.resumed), (500, 2, 0));
    assert_eq!(manifest.split, Some(split("k")));
    // The split of the manifest alone puts each row where it is.
    for (place, (_, part)) in parts.iter().enumerate() {
        let again = manifest.split.as_ref().unwrap().apply(part).unwrap();
        assert_eq!(again[place].height(), part.height());
    }
    // The parts add up to the whole, which was computed before rows were divided.
    let proof = manifest.proof.as_ref().unwrap();
    assert_eq!((&*proof.key, &*proof.hash, proof.whole.sum.rows), (&["k".to_owned()][..], "xxh3_128", 500));
    let keys = manifest.parts.iter().map(|part| part.keys.as_ref().unwrap().sum);
    assert_eq!(keys.fold(KeySum::default(), KeySum::and), proof.whole.sum);
    assert_eq!(manifest.source.indices, [index.as_str()]);
    assert_eq!((manifest.source.read_by, manifest.source.slices), (ReadBy::PointInTime, 4));
    assert_eq!(manifest.source.cluster_uuid, client.info().cluster_uuid);
    assert_eq!((&*manifest.format.name, manifest.format.row_group_rows), ("parquet", Some(50)));
    assert_eq!(manifest.notes, json!({"asset": "training_set"}));
    let columns: Vec<_> =
        manifest.columns.iter().map(|column| [&*column.name, &*column.elasticsearch, &*column.polars]).collect();
    assert_eq!(
        columns,
        [["k", "keyword", "str"], ["n", "long", "i64"], ["g", "keyword", "str"], ["x", "double", "f64"]]
    );
}

#[tokio::test]
async fn the_next_export_replaces_the_whole_of_the_last() {
    let Some((client, scope)) = live("replaces").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(40);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let columns = named(small_pages(&index), &["k", "n", "g", "x"]);
    run(export(columns.clone(), &folder, Some(split("k"))), &client).await.unwrap();
    let manifest = run(export(columns, &folder, None), &client).await.unwrap();
    assert_eq!(names(&folder), [MANIFEST_FILE, "data"]);
    assert_eq!(names(scratch.path()), ["set"]);
    let [(name, data)] = &parts(&manifest, &folder)[..] else { panic!("one part") };
    assert_eq!((name.as_str(), manifest.split), ("data", None));
    assert!(sorted(data, "k").equals_missing(&frame));
}

#[tokio::test]
async fn a_key_that_is_not_asked_for_is_read_and_not_written() {
    let Some((client, scope)) = live("key").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(60);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let manifest =
        run(export(named(small_pages(&index), &["x", "n"]), &folder, Some(split("k"))), &client).await.unwrap();
    assert_eq!(manifest.columns.iter().map(|column| &*column.name).collect::<Vec<_>>(), ["x", "n"]);
    let expected = split("k").apply(&frame).unwrap();
    for ((_, part), expected) in parts(&manifest, &folder).iter().zip(expected) {
        assert!(sorted(part, "n").equals_missing(&sorted(&expected.select(["x", "n"]).unwrap(), "n")));
    }
}

#[tokio::test]
async fn every_compression_and_no_rows_at_all_are_files_too() {
    let Some((client, scope)) = live("compression").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(30);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    for compression in Compression::ALL {
        let mut export = export(named(small_pages(&index), &["k", "n", "g", "x"]), &folder, None);
        export.files = row_groups(8, compression);
        let manifest = run(export, &client).await.unwrap();
        assert!(sorted(&parts(&manifest, &folder)[0].1, "k").equals_missing(&frame), "{compression:?}");
    }
    let none = matching(named(small_pages(&index), &["k", "x"]), json!({"term": {"g": "nowhere"}}));
    let manifest = run(export(none, &folder, Some(split("k"))), &client).await.unwrap();
    for (_, part) in parts(&manifest, &folder) {
        assert_eq!(part.height(), 0);
        assert_eq!(part.get_column_names(), ["k", "x"]);
        assert_eq!(part.dtypes(), [DataType::String, DataType::Float64]);
    }
}

#[tokio::test]
async fn a_key_that_is_null_fails_the_export_and_changes_nothing() {
    let Some((client, scope)) = live("null_key").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(50), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    run(export(small_pages(&index), &folder, None), &client).await.unwrap();
    let before = contents(scratch.path());
    let error = run(export(small_pages(&index), &folder, Some(split("x"))), &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Split);
    assert!(error.to_string().contains("column x is part of"), "{error}");
    assert_eq!(error.help(), Some("choose key columns that are never null"));
    assert_eq!(contents(scratch.path()), before);
    assert_eq!(names(scratch.path()), ["set"]);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn what_is_no_export_is_left_alone() {
    let Some((client, scope)) = live("in_the_way").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(5), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let mine = scratch.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "years of work").unwrap();
    let before = contents(scratch.path());
    let file = mine.join("thesis.txt");
    for (destination, kind, what) in [
        (&mine, ErrorKind::Destination, "holds files but no manifest of an export and is not overwritten"),
        (&file, ErrorKind::Destination, "is a file and is not overwritten"),
        (&file.join("set"), ErrorKind::Io, "cannot be written: "),
    ] {
        let error = run(export(small_pages(&index), destination, None), &client).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.help().is_some());
        assert_eq!(contents(scratch.path()), before);
    }
    assert_eq!(open_contexts(&client, &index).await, 0, "nothing was read");
}
