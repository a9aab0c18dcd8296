//! Encoded columns, whose statistics come from the training part alone.

use es_export::encode::Encoder;
use es_export::{Destination, Encoding, ErrorKind, Format};
use polars::prelude::*;

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

    export.options.training_part = Some("test".into());
    let other = run(export.clone(), &client).await.unwrap();
    assert_eq!(other.encoders.unwrap().rows, plain[2].height() as u64);
    export.options.training_part = Some("nope".into());
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
        export.format = Format::Npy;
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
