//! Splits of a live index: by group, by time and stratified.

use std::collections::{BTreeMap, BTreeSet};

use es_export::{ErrorKind, Manifest, MissingTimes, Phase, ReadRequest, Split};
use polars::prelude::*;
use serde_json::json;

use crate::files::parts;
use crate::support::{
    bulk, contents, export, fields, index_of, live, named, names, open_contexts, rows, run, small_pages, sorted,
    until_closed,
};

const SHARES: [(&str, f64); 3] = [("train", 0.6), ("validation", 0.2), ("test", 0.2)];

fn shares() -> Vec<(String, f64)> {
    SHARES.map(|(name, share)| (name.to_owned(), share)).to_vec()
}

/// All rows of all parts, in the order of `k`.
fn together(parts: &[(String, DataFrame)]) -> DataFrame {
    let mut frames = parts.iter().map(|(_, frame)| frame.clone());
    let first = frames.next().unwrap();
    sorted(&frames.fold(first, |all, frame| all.vstack(&frame).unwrap()), "k")
}

fn texts(frame: &DataFrame, column: &str) -> BTreeSet<String> {
    frame.column(column).unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_group_is_in_one_part_and_groups_are_counted() {
    let Some((client, scope)) = live("groups").await else { return };
    let index = format!("{}a", scope.prefix());
    let mut frame = rows(400);
    let customers: Vec<String> = (0..400).map(|n| format!("customer {}", n % 37)).collect();
    frame.with_column(Column::new("c".into(), customers)).unwrap();
    let mut fields = fields();
    fields["c"] = json!({"type": "keyword"});
    index_of(&client, &index, 2, fields, &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let split = Split::by_group(vec!["c".into()], 3, shares()).unwrap();
    let mut export = export(named(small_pages(&index), &["k", "n", "g", "x", "c"]), &folder, Some(split));
    export.options.rows_per_file = 100;
    let manifest = run(export, &client).await.unwrap();
    let parts = parts(&manifest, &folder);
    assert!(together(&parts).equals_missing(&frame));
    let groups: Vec<BTreeSet<String>> = parts.iter().map(|(_, part)| texts(part, "c")).collect();
    assert_eq!(groups.iter().map(BTreeSet::len).sum::<usize>(), 37, "no group is in two parts");
    assert!(groups.iter().all(|groups| !groups.is_empty()));
    assert_eq!(manifest.proof.unwrap().whole.groups, Some(37));
    for (part, groups) in manifest.parts.iter().zip(&groups) {
        assert_eq!(part.keys.as_ref().unwrap().groups, Some(groups.len() as u64));
        assert!(part.files.len() > 1, "groups stay together over several files");
    }
}

/// An index of a row for each day of a year, the last without a time.
async fn days(client: &es_core::Client, index: &str, without: i64) {
    let fields = json!({"k": {"type": "keyword"}, "t": {"type": "date"}});
    let start: jiff::civil::Date = "2013-01-01".parse().unwrap();
    let time = |day: i64| start.checked_add(jiff::Span::new().days(day)).unwrap().to_string();
    let frame = df!(
        "k" => (0..365).map(|day| format!("day-{day:03}")).collect::<Vec<_>>(),
        "t" => (0..365).map(|day| (day < 365 - without).then(|| time(day))).collect::<Vec<_>>(),
    );
    index_of(client, index, 1, fields, &frame.unwrap(), &["k"]).await;
}

fn by_time(missing: MissingTimes) -> Split {
    let part = |name: &str, until: Option<&str>| (name.to_owned(), until.map(|text| text.parse().unwrap()));
    let parts = vec![
        part("train", Some("2013-11-01T00:00:00Z")),
        part("validation", Some("2013-12-01T00:00:00Z")),
        part("test", None),
    ];
    Split::by_time("t", parts, missing).unwrap()
}

fn heights(parts: &[(String, DataFrame)]) -> Vec<(&str, usize)> {
    parts.iter().map(|(name, frame)| (name.as_str(), frame.height())).collect()
}

#[tokio::test]
async fn parts_of_time_are_half_open_spans() {
    let Some((client, scope)) = live("times").await else { return };
    let index = format!("{}a", scope.prefix());
    days(&client, &index, 0).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    // The time is not among the columns of the files.
    let export = export(named(small_pages(&index), &["k"]), &folder, Some(by_time(MissingTimes::Refuse)));
    let manifest = run(export, &client).await.unwrap();
    let parts = parts(&manifest, &folder);
    assert_eq!(heights(&parts), [("train", 304), ("validation", 30), ("test", 31)]);
    assert_eq!(parts[1].1.get_column_names(), ["k"]);
    assert!(texts(&parts[1].1, "k").contains("day-304") && !texts(&parts[1].1, "k").contains("day-334"));
    let keys = manifest.parts[1].keys.as_ref().unwrap();
    assert_eq!(keys.earliest.unwrap().to_string(), "2013-11-01T00:00:00Z");
    assert_eq!(keys.latest.unwrap().to_string(), "2013-11-30T00:00:00Z");
}

#[tokio::test]
async fn rows_without_a_time_are_refused_or_have_a_part_of_their_own() {
    let Some((client, scope)) = live("timeless").await else { return };
    let index = format!("{}a", scope.prefix());
    days(&client, &index, 5).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let error = run(export(small_pages(&index), &folder, Some(by_time(MissingTimes::Refuse))), &client).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Split);
    assert!(error.to_string().starts_with("a row cannot be put in a part: it has no t"), "{error}");
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
    until_closed(&client, &index).await;
    let own = by_time(MissingTimes::Part("undated".into()));
    let manifest = run(export(small_pages(&index), &folder, Some(own)), &client).await.unwrap();
    let parts = parts(&manifest, &folder);
    assert_eq!(heights(&parts), [("train", 304), ("validation", 30), ("test", 26), ("undated", 5)]);
}

#[tokio::test]
async fn shares_come_out_in_each_stratum_and_the_manifest_puts_rows_where_they_are() {
    let Some((client, scope)) = live("strata").await else { return };
    let index = format!("{}a", scope.prefix());
    let mut frame = rows(1_000);
    // 900, 80 and 15 rows, and 5 without a label.
    let labels: Vec<Option<&str>> = (0..1_000)
        .map(|n| match n {
            0..900 => Some("common"),
            900..980 => Some("rare"),
            980..995 => Some("odd"),
            _ => None,
        })
        .collect();
    frame.with_column(Column::new("label".into(), labels)).unwrap();
    let mut fields = fields();
    fields["label"] = json!({"type": "keyword"});
    index_of(&client, &index, 2, fields, &frame, &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let split = Split::stratified(vec!["label".into()], vec!["k".into()], 7, shares()).unwrap();
    let columns = ["k", "n", "g", "x", "label"];
    let counted = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let export = export(named(small_pages(&index), &columns), &folder, Some(split));
    let observer = {
        let counted = counted.clone();
        move |step: es_export::Progress| {
            if step.phase == Phase::Counting {
                counted.fetch_add(step.rows, std::sync::atomic::Ordering::SeqCst);
            }
        }
    };
    let manifest = export.clone().with_observer(observer).run(&client).await.unwrap();
    assert_eq!(counted.load(std::sync::atomic::Ordering::SeqCst), 1_000);
    assert_eq!(open_contexts(&client, &index).await, 0);
    let parts = parts(&manifest, &folder);
    assert!(together(&parts).equals_missing(&frame));
    let mut found: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (place, (_, part)) in parts.iter().enumerate() {
        for label in part.column("label").unwrap().str().unwrap().iter() {
            found.entry(label.map(str::to_owned)).or_insert_with(|| vec![0; 3])[place] += 1;
        }
    }
    let found: Vec<_> = found.into_iter().map(|(label, rows)| (label.unwrap_or_default(), rows)).collect();
    let expected = [("", [3, 1, 1]), ("common", [540, 180, 180]), ("odd", [9, 3, 3]), ("rare", [48, 16, 16])];
    assert_eq!(found, expected.map(|(label, rows)| (label.to_owned(), rows.to_vec())));
    let split = Manifest::read(&folder).unwrap().unwrap().split.unwrap();
    assert_eq!(split.strata().unwrap().len(), 4);
    for (place, (_, part)) in parts.iter().enumerate() {
        assert_eq!(split.apply(part).unwrap()[place].height(), part.height());
    }

    // The bounds of the manifest are used as they are, when the index has grown.
    bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"late\",\"n\":1,\"g\":\"JFK\",\"label\":\"odd\"}\n".to_vec()).await;
    let mut again = export;
    again.split = Some(split.clone());
    let grown = run(again, &client).await.unwrap();
    assert_eq!((grown.rows, grown.split), (1_001, Some(split)));
}

#[tokio::test]
async fn rows_that_can_be_read_once_are_not_stratified() {
    let Some((client, scope)) = live("once").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(20), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    let split = Split::stratified(vec!["g".into()], vec!["k".into()], 7, shares()).unwrap();
    let mut request: ReadRequest = small_pages(&index);
    request.search_mut().unwrap().through = es_export::Through::Scroll;
    let error = run(export(request, &folder, Some(split)), &client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.help().is_some());
    assert!(contents(scratch.path()).is_empty());
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_column_that_decides_and_is_not_there_is_told_before_rows_are_read() {
    let Some((client, scope)) = live("nowhere").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(20), &["k"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("set");
    for columns in [None, Some(["k", "n"])] {
        let request = columns.map_or_else(|| small_pages(&index), |columns| named(small_pages(&index), &columns));
        let split = Split::by_hash(vec!["nope".into()], 7, shares()).unwrap();
        let error = run(export(request, &folder, Some(split)), &client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Column, "{error}");
        assert!(error.to_string().contains("nope"), "{error}");
        assert!(error.help().is_some_and(|help| help.contains("are g, k, n, x")), "{:?}", error.help());
        until_closed(&client, &index).await;
    }
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
}
