//! Folders named after values, and files of about so many rows.

use std::collections::BTreeMap;
use std::path::Path;

use es_export::{Compression, Destination, ErrorKind, Format, Manifest, ManifestPart};
use es_values::ByteSize;
use polars::prelude::*;
use serde_json::json;

use crate::files::parts;
use crate::support::{
    contents, export, fields, index_of, live, named, names, parquet, row_groups, rows, run, small_pages, sorted, split,
    until_closed,
};

/// The rows of a part's files, with the values of the first folder under the part as `g`.
fn with_folders(part: &ManifestPart, folder: &Path) -> DataFrame {
    let frames = part.files.iter().map(|file| {
        let mut frame = parquet(&folder.join(&file.path));
        let (name, value) = file.path.split('/').nth(1).unwrap().split_once('=').unwrap();
        let value = (value != "__HIVE_DEFAULT_PARTITION__").then_some(value);
        frame.with_column(Column::new(name.into(), vec![value; frame.height()])).unwrap();
        frame
    });
    frames.reduce(|all, frame| all.vstack(&frame).unwrap()).unwrap()
}

#[tokio::test]
async fn folders_hold_the_rows_of_their_value_without_the_column() {
    let Some((client, scope)) = live("folders").await else { return };
    let index = format!("{}a", scope.prefix());
    let mut frame = rows(300);
    let labels: Vec<Option<String>> =
        (0..300).map(|n| (n % 5 != 0).then(|| ["a b", "c%d", "é"][n as usize % 3].to_owned())).collect();
    frame.with_column(Column::new("h".into(), labels)).unwrap();
    let mut fields = fields();
    fields["h"] = json!({"type": "keyword"});
    index_of(&client, &index, 2, fields, &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let mut export = export(named(small_pages(&index), &["k", "n", "g", "x", "h"]), &folder, Some(split("k")));
    export.partition_by = vec!["h".into()];
    export.options.rows_per_file = 120;
    // So little memory that rows are written long before a row group is full.
    export.options.held_bytes = ByteSize::bytes(400);
    let manifest = run(export, &client).await.unwrap();
    parts(&manifest, &folder);
    assert_eq!(names(&folder.join("train")), ["h=__HIVE_DEFAULT_PARTITION__", "h=a b", "h=c%25d", "h=é"]);
    assert_eq!(manifest.partition_by.iter().map(|column| &*column.name).collect::<Vec<_>>(), ["h"]);
    assert_eq!(manifest.columns.iter().map(|column| &*column.name).collect::<Vec<_>>(), ["k", "n", "g", "x"]);
    let whole = manifest.parts.iter().map(|part| with_folders(part, &folder));
    let whole = whole.reduce(|all, part| all.vstack(&part).unwrap()).unwrap();
    let mut expected = frame.clone();
    expected
        .apply("h", |column| {
            let escaped: Vec<Option<String>> =
                column.str().unwrap().iter().map(|text| text.map(|text| text.replace('%', "%25"))).collect();
            Column::new("h".into(), escaped)
        })
        .unwrap();
    assert!(sorted(&whole, "k").equals_missing(&expected), "{whole:?} {expected:?}");
}

#[tokio::test]
async fn too_many_folders_are_refused() {
    let Some((client, scope)) = live("many").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(50), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let mut export = export(small_pages(&index), &scratch.path().join("set"), None);
    export.partition_by = vec!["n".into()];
    export.options.max_open_partitions = 20;
    let error = run(export.clone(), &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Partition);
    assert_eq!(error.to_string(), "the partition columns make more than 20 folders");
    export.partition_by = vec!["x".into()];
    let error = run(export.clone(), &client).await.unwrap_err();
    assert_eq!(error.to_string(), "partition column x is of type f64");
    export.partition_by = ["k", "n", "g"].map(str::to_owned).to_vec();
    export.request = named(export.request, &["k", "n", "g"]);
    let error = run(export, &client).await.unwrap_err();
    assert_eq!(error.to_string(), "all columns are partition columns, and the files would have none");
    assert!(contents(scratch.path()).is_empty());
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn groups_of_slices_and_long_slices_make_files_of_about_so_many_rows() {
    let Some((client, scope)) = live("sizes").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(600);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let columns = ["k", "n", "g", "x"];
    let mut several = export(named(small_pages(&index), &columns), &folder, None);
    several.options.rows_per_file = 150;
    let manifest = run(several.clone(), &client).await.unwrap();
    let [(_, data)] = &parts(&manifest, &folder)[..] else { panic!("one part") };
    assert!(sorted(data, "k").equals_missing(&frame));
    let files = &manifest.parts[0].files;
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| (75..300).contains(&file.rows)), "{files:?}");
    assert!(manifest.source.slices >= 12);

    // Rows in order are one slice, whose files follow each other in order.
    let mut ordered = several;
    ordered.request.search_mut().unwrap().sort = vec![json!({"n": "desc"})];
    ordered.request.search_mut().unwrap().limit = Some(400);
    let manifest = run(ordered, &client).await.unwrap();
    let [(_, data)] = &parts(&manifest, &folder)[..] else { panic!("one part") };
    let numbers: Vec<i64> = data.column("n").unwrap().i64().unwrap().into_no_null_iter().collect();
    assert_eq!(numbers, (200..600).rev().collect::<Vec<_>>());
    assert_eq!(manifest.parts[0].files.iter().map(|file| file.rows).collect::<Vec<_>>(), [154, 154, 92]);
}

#[tokio::test]
async fn a_single_file_has_its_manifest_beside_it() {
    let Some((client, scope)) = live("single").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(100);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rows.parquet");
    let mut single = export(named(small_pages(&index), &["k", "n", "g", "x"]), &file, None);
    single.destination = Destination::File(file.clone());
    single.options.rows_per_file = 10;
    for compression in [Compression::Zstd, Compression::Uncompressed] {
        single.files = row_groups(1_000, compression);
        let manifest = run(single.clone(), &client).await.unwrap();
        assert_eq!(names(scratch.path()), ["rows.parquet", "rows.parquet.manifest.json"]);
        assert_eq!(Manifest::read(&file).unwrap().unwrap(), manifest);
        assert!(manifest.files_are_there(scratch.path()));
        assert_eq!(manifest.parts[0].files[0].path, "rows.parquet");
        assert!(sorted(&parquet(&file), "k").equals_missing(&frame));
    }
    let before = contents(scratch.path());
    let mut refused = single.clone();
    refused.split = Some(split("k"));
    assert_eq!(run(refused, &client).await.unwrap_err().to_string(), "the parts of a split cannot be a single file");
    let mut refused = single.clone();
    refused.partition_by = vec!["g".into()];
    assert_eq!(run(refused, &client).await.unwrap_err().kind(), ErrorKind::Destination);
    let mine = scratch.path().join("mine.csv");
    std::fs::write(&mine, "years of work").unwrap();
    let mut refused = single.clone();
    refused.destination = Destination::File(mine.clone());
    let error = run(refused, &client).await.unwrap_err();
    assert!(error.to_string().ends_with("is a file without a manifest of an export and is not overwritten"), "{error}");
    std::fs::remove_file(mine).unwrap();
    assert_eq!(contents(scratch.path()), before);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn every_format_has_every_row() {
    let Some((client, scope)) = live("formats").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(90);
    index_of(&client, &index, 1, fields(), &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let mut rows_of: BTreeMap<&str, u64> = BTreeMap::new();
    for name in Format::ALL.map(Format::as_str) {
        let folder = scratch.path().join(name);
        let mut export = export(named(small_pages(&index), &["n", "k"]), &folder, Some(split("k")));
        export.request =
            named(export.request, if matches!(name, "npz" | "safetensors") { &["n"] } else { &["n", "k"] });
        export.files = name.parse::<Format>().unwrap().into();
        let manifest = run(export, &client).await.unwrap();
        assert_eq!((&*manifest.format.name, names(&folder).len()), (name, 4));
        assert!(manifest.files_are_there(&folder));
        rows_of.insert(name, manifest.files().map(|file| file.rows).sum());
        for file in manifest.files() {
            assert!(file.path.ends_with(&format!("part-00000.{}", name.parse::<Format>().unwrap().extension())));
            assert_eq!(file.description.is_some(), name.parse::<Format>().unwrap().holds_tensors());
        }
    }
    assert!(rows_of.values().all(|rows| *rows == 90), "{rows_of:?}");
    // What a format cannot hold is told before rows are read.
    let mut refused = export(named(small_pages(&index), &["k"]), &scratch.path().join("no"), None);
    refused.files = Format::Npz.into();
    assert_eq!(run(refused, &client).await.unwrap_err().kind(), ErrorKind::Format);
    until_closed(&client, &index).await;
}
