//! Splits of frames, without a server.

use polars::prelude::*;
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::proof::{KeySum, Proof};
use super::*;

const SHARES: [(&str, f64); 3] = [("train", 0.8), ("validation", 0.1), ("test", 0.1)];

fn shares() -> Vec<(String, f64)> {
    SHARES.map(|(name, share)| (name.to_owned(), share)).to_vec()
}

fn by_hash(seed: u64) -> Split {
    Split::by_hash(vec!["k".into()], seed, shares()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn by_time(missing: MissingTimes) -> Split {
    let part = |name: &str, until: Option<&str>| (name.to_owned(), until.map(at));
    let parts = vec![
        part("train", Some("2013-09-01T00:00:00Z")),
        part("validation", Some("2013-10-01T00:00:00Z")),
        part("test", None),
    ];
    Split::by_time("t", parts, missing).unwrap()
}

fn heights(parts: &[DataFrame]) -> Vec<usize> {
    parts.iter().map(DataFrame::height).collect()
}

/// The split with the strata of this frame.
fn settled(split: Split, frame: &DataFrame) -> Split {
    let mut counter = split.strata_counter().unwrap();
    counter.observe(frame).unwrap();
    split.settled(counter.finish())
}

#[test]
fn shares_come_out_and_the_seed_matters() {
    let keys: Vec<i64> = (0..100_000).collect();
    let frame = df!("k" => &keys).unwrap();
    let rows = heights(&by_hash(7).apply(&frame).unwrap());
    assert_eq!(rows.iter().sum::<usize>(), 100_000);
    for (rows, (_, share)) in rows.iter().zip(SHARES) {
        // Six standard deviations of a binomial count.
        let spread = 6.0 * (100_000.0_f64 * share * (1.0 - share)).sqrt();
        assert!((*rows as f64 - 100_000.0 * share).abs() < spread, "{rows} of {share}");
    }
    assert_ne!(heights(&by_hash(8).apply(&frame).unwrap()), rows);
}

#[test]
fn the_assignment_is_pinned() {
    // Changing the hash would move rows between the parts of existing training sets. The
    // expected parts come from the Python package xxhash: xxh3_64_intdigest(key, seed=7).
    let keys: Vec<i64> = (0..24).collect();
    let frame = df!("k" => &keys).unwrap();
    let expected = [1, 0, 1, 2, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(by_hash(7).assign(&frame).unwrap(), expected);
    let by_group = Split::by_group(vec!["k".into()], 7, shares()).unwrap();
    assert_eq!(by_group.assign(&frame).unwrap(), expected);
}

#[test]
fn shares_must_add_up_and_keys_must_be_there() {
    let part = |share| vec![("a".to_owned(), share)];
    for (key, parts) in [(vec![], part(1.0)), (vec!["k".to_owned()], part(0.9)), (vec!["k".to_owned()], vec![])] {
        assert_eq!(Split::by_hash(key.clone(), 0, parts.clone()).unwrap_err().kind(), ErrorKind::Split);
        assert_eq!(Split::stratified(vec!["s".into()], key, 0, parts).unwrap_err().kind(), ErrorKind::Split);
    }
    let named = |names: [&str; 2]| names.map(|name| (name.to_owned(), 0.5)).to_vec();
    for names in [["a", "a"], ["a", ""], ["a", ".."], ["a", "b/c"], ["/a", "b"], ["_manifest.json", "b"], ["a=1", "b"]]
    {
        let error = Split::by_hash(vec!["k".to_owned()], 0, named(names)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Split, "{names:?}");
    }
    let frame = df!("k" => [Some(1), None]).unwrap();
    assert_eq!(by_hash(0).apply(&frame).unwrap_err().kind(), ErrorKind::Split);
    let frame = df!("other" => [1]).unwrap();
    assert_eq!(by_hash(0).apply(&frame).unwrap_err().kind(), ErrorKind::Column);
    assert_eq!(by_time(MissingTimes::Refuse).apply(&frame).unwrap_err().kind(), ErrorKind::Column);
}

/// Instants around the ends of the parts, in nanoseconds.
fn times() -> DataFrame {
    let texts = [
        "2013-01-01T00:00:00Z",
        "2013-08-31T23:59:59.999999999Z",
        "2013-09-01T00:00:00Z",
        "2013-09-30T23:59:59.999999999Z",
        "2013-10-01T00:00:00Z",
        "2020-01-01T00:00:00Z",
    ];
    let nanoseconds: Vec<i64> = texts.iter().map(|text| at(text).as_nanosecond() as i64).collect();
    let times = Int64Chunked::from_vec("t".into(), nanoseconds).into_datetime(TimeUnit::Nanoseconds, None);
    DataFrame::new(6, vec![times.into_column()]).unwrap()
}

#[test]
fn parts_of_time_begin_where_the_last_ended() {
    let frame = times();
    assert_eq!(by_time(MissingTimes::Refuse).assign(&frame).unwrap(), [0, 0, 1, 1, 2, 2]);
    // The same in a column of dates.
    let dates = df!("t" => [15_706, 15_949, 15_978, 15_979]).unwrap();
    let mut dates = dates;
    dates.apply("t", |column| column.cast(&DataType::Date).unwrap()).unwrap();
    assert_eq!(by_time(MissingTimes::Refuse).assign(&dates).unwrap(), [0, 1, 1, 2]);
    // Numbers could mean anything.
    let numbers = df!("t" => [1_i64]).unwrap();
    let error = by_time(MissingTimes::Refuse).assign(&numbers).unwrap_err();
    assert_eq!(error.to_string(), "column t is of type i64, and a split by time needs dates or instants");
}

#[test]
fn rows_without_a_time_are_refused_or_have_a_part() {
    let none = Int64Chunked::from_iter_options("t".into(), [Some(0), None].into_iter())
        .into_datetime(TimeUnit::Milliseconds, None);
    let frame = DataFrame::new(2, vec![none.into_column()]).unwrap();
    let error = by_time(MissingTimes::Refuse).apply(&frame).unwrap_err();
    assert_eq!((error.kind(), error.help().is_some()), (ErrorKind::Split, true));
    let to_train = by_time(MissingTimes::Part("train".into()));
    assert_eq!(to_train.parts(), ["train", "validation", "test"]);
    assert_eq!(to_train.assign(&frame).unwrap(), [0, 0]);
    let own = by_time(MissingTimes::Part("undated".into()));
    assert_eq!(own.parts(), ["train", "validation", "test", "undated"]);
    assert_eq!(own.assign(&frame).unwrap(), [0, 3]);
    assert_eq!(own.span(3), None);
}

#[test]
fn ends_that_do_not_rise_are_refused() {
    let part = |name: &str, until: Option<&str>| (name.to_owned(), until.map(at));
    let day = Some("2013-09-01T00:00:00Z");
    for parts in [
        vec![],
        vec![part("a", day)],
        vec![part("a", None), part("b", None)],
        vec![part("a", day), part("b", day), part("c", None)],
        vec![part("a", Some("2013-09-01T00:00:00.0001Z")), part("b", None)],
        vec![part("a", day), part("a", None)],
    ] {
        let error = Split::by_time("t", parts.clone(), MissingTimes::Refuse).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Split, "{parts:?}");
    }
}

/// 10,000 rows of a common stratum, 500 of a rare one, 5 of a very rare one, 1 of none.
fn strata() -> DataFrame {
    let labels: Vec<Option<&str>> = std::iter::repeat_n(Some("common"), 10_000)
        .chain(std::iter::repeat_n(Some("rare"), 500))
        .chain(std::iter::repeat_n(Some("odd"), 5))
        .chain([None])
        .collect();
    df!("k" => (0..10_506_i64).collect::<Vec<_>>(), "s" => labels).unwrap()
}

fn stratified() -> Split {
    Split::stratified(vec!["s".into()], vec!["k".into()], 7, shares()).unwrap()
}

#[test]
fn shares_come_out_in_each_stratum() {
    let frame = strata();
    let split = settled(stratified(), &frame);
    let parts = split.apply(&frame).unwrap();
    let of = |label: Option<&str>| -> Vec<usize> {
        let count = |part: &DataFrame| part.column("s").unwrap().str().unwrap().iter().filter(|s| *s == label).count();
        parts.iter().map(count).collect()
    };
    assert_eq!(of(Some("rare")), [400, 50, 50]);
    assert_eq!(of(Some("odd")), [4, 1, 0]);
    assert_eq!(of(None), [1, 0, 0]);
    // A bucket of the common stratum holds two or three rows, and each end is off by at most
    // half of one: nearer than a hash alone comes.
    for (found, expected) in of(Some("common")).iter().zip([8_000, 1_000, 1_000_usize]) {
        assert!(found.abs_diff(expected) <= 12, "{found} of {expected}");
    }
    let strata: Vec<_> = split.strata().unwrap().iter().map(|stratum| (stratum.values(), stratum.rows())).collect();
    assert_eq!(strata, [(r#"{"s":"common"}"#, 10_000), (r#"{"s":"odd"}"#, 5), (r#"{"s":"rare"}"#, 500), ("{}", 1),]);
}

#[test]
fn the_strata_do_not_depend_on_the_order_of_rows() {
    let frame = strata();
    let forward = settled(stratified(), &frame);
    let mut counter = stratified().strata_counter().unwrap();
    let backward = frame.reverse();
    for piece in 0..11 {
        counter.observe(&backward.slice(piece * 1_000, 1_000)).unwrap();
    }
    assert_eq!(stratified().settled(counter.finish()), forward);
}

#[test]
fn equal_keys_of_a_stratum_stay_together() {
    let keys: Vec<i64> = (0..600).map(|n| n % 6).collect();
    let frame = df!("k" => keys, "s" => vec!["one"; 600]).unwrap();
    let parts = settled(stratified(), &frame).apply(&frame).unwrap();
    let distinct: usize = parts.iter().map(|part| part.column("k").unwrap().n_unique().unwrap()).sum();
    assert_eq!(distinct, 6);
    // Five keys of six are nearest to eight tenths.
    assert_eq!(heights(&parts)[0], 500);
}

#[test]
fn too_many_strata_are_refused() {
    let many: Vec<i64> = (0..=MOST_STRATA as i64).collect();
    let frame = df!("k" => &many, "s" => &many).unwrap();
    let mut counter = stratified().strata_counter().unwrap();
    let error = counter.observe(&frame).unwrap_err();
    assert_eq!(error.to_string(), "the columns s make more than 1024 strata");
    let error = stratified().apply(&frame).unwrap_err();
    assert_eq!(error.to_string(), "the strata of a split were not counted yet");
}

#[test]
fn a_split_that_was_written_down_puts_every_row_where_it_was() {
    let frame = strata();
    let group = Split::by_group(vec!["s".into(), "k".into()], u64::MAX, shares()).unwrap();
    for split in [by_hash(3), group, settled(stratified(), &frame), stratified()] {
        let text = serde_json::to_string(&split).unwrap();
        let read: Split = serde_json::from_str(&text).unwrap();
        assert_eq!(read, split, "{text}");
    }
    for missing in [MissingTimes::Refuse, MissingTimes::Part("test".into()), MissingTimes::Part("none".into())] {
        let split = by_time(missing);
        let text = serde_json::to_string(&split).unwrap();
        assert_eq!(serde_json::from_str::<Split>(&text).unwrap(), split, "{text}");
    }
    // A stratum that was not counted is divided by the shares alone.
    let split = settled(stratified(), &frame);
    let unseen = df!("k" => (0..24_i64).collect::<Vec<_>>(), "s" => vec!["new"; 24]).unwrap();
    assert_eq!(split.assign(&unseen).unwrap(), by_hash(7).assign(&unseen).unwrap());
}

#[test]
fn what_was_written_down_is_pinned() {
    let written = |split: &Split| serde_json::to_value(split).unwrap();
    assert_eq!(
        written(&by_hash(7)),
        serde_json::json!({"by": "hash", "hash": "xxh3_64", "key": ["k"], "seed": 7,
            "parts": {"train": 0.8, "validation": 0.1, "test": 0.1}})
    );
    assert_eq!(
        written(&by_time(MissingTimes::Part("undated".into()))),
        serde_json::json!({"by": "time", "column": "t", "missing": "undated", "parts": [
            {"name": "train", "until": "2013-09-01T00:00:00Z"},
            {"name": "validation", "until": "2013-10-01T00:00:00Z"}, {"name": "test"},
        ]})
    );
    let few = df!("k" => [1, 2], "s" => ["a", "a"]).unwrap();
    let halves = vec![("one".to_owned(), 0.5), ("two".to_owned(), 0.5)];
    let split = settled(Split::stratified(vec!["s".into()], vec!["k".into()], 7, halves).unwrap(), &few);
    let written = written(&split);
    assert_eq!(written["strata_columns"], serde_json::json!(["s"]));
    assert_eq!(written["strata"][0]["values"], r#"{"s":"a"}"#);
    assert_eq!(written["strata"][0]["ends"][1], "ffffffffffffffff");
    let damaged = serde_json::json!({"by": "hash", "hash": "md5", "key": ["k"], "seed": 7, "parts": {"a": 1.0}});
    assert!(serde_json::from_value::<Split>(damaged).is_err());
}

/// The division of a page by an export.
fn account(split: &Split, frame: &DataFrame) -> (Proof, Vec<DataFrame>) {
    let mut proof = Proof::new(split);
    let parts = proof.divide(split, frame).unwrap();
    for (place, part) in parts.iter().enumerate() {
        proof.see_part(split, place, part).unwrap();
    }
    (proof, parts)
}

#[test]
fn the_proof_adds_up_and_tells_a_lost_or_doubled_row() {
    let frame = strata();
    for split in [by_hash(7), settled(stratified(), &frame)] {
        let (proof, _) = account(&split, &frame);
        let (whole, parts) = proof.check(&split).unwrap();
        assert_eq!(whole.whole.sum.rows, 10_506);
        let sum = parts.iter().fold(KeySum::default(), |sum, part| sum.and(part.sum));
        assert_eq!(sum, whole.whole.sum);
    }
    let split = by_hash(7);
    let size_of_second = split.apply(&frame).unwrap()[1].height() as i64;
    // A row in two parts, a row in none, and one that stands for another.
    for (into, from, length) in [(1, 0, 1), (1, 1, 0), (1, 0, size_of_second)] {
        let mut proof = Proof::new(&split);
        let parts = proof.divide(&split, &frame).unwrap();
        for (place, part) in parts.iter().enumerate() {
            let wrong = if length == 0 { part.slice(1, part.height()) } else { part.clone() };
            let replaced = length > 1 && place == into;
            let given = if place == into && length == 0 { &wrong } else { part };
            if !replaced {
                proof.see_part(&split, place, given).unwrap();
            }
        }
        if length > 0 {
            proof.see_part(&split, into, &parts[from].slice(0, length as usize)).unwrap();
        }
        let error = proof.check(&split).unwrap_err();
        assert!(error.to_string().starts_with("the parts of the split do not add up"), "{error}");
    }
}

#[test]
fn the_proof_of_groups_counts_them_and_can_be_kept() {
    let keys: Vec<i64> = (0..1_000).map(|n| n % 70).collect();
    let frame = df!("k" => keys).unwrap();
    let split = Split::by_group(vec!["k".into()], 7, shares()).unwrap();
    let (first, rest) = (frame.slice(0, 300), frame.slice(300, 700));
    let (whole, _) = account(&split, &frame);
    let (manifest, parts) = whole.check(&split).unwrap();
    assert_eq!(manifest.whole.groups, Some(70));
    assert_eq!(parts.iter().map(|part| part.groups.unwrap()).sum::<u64>(), 70);

    // Kept on disk after the first rows, and resumed.
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("groups");
    let (begun, _) = account(&split, &first);
    begun.save_groups(&path).unwrap();
    let text = serde_json::to_string(&begun).unwrap();
    let mut proof = serde_json::from_str::<Proof>(&text).unwrap().with_groups(&path).unwrap();
    assert_eq!(proof, begun);
    for (place, part) in proof.divide(&split, &rest).unwrap().iter().enumerate() {
        proof.see_part(&split, place, part).unwrap();
    }
    assert_eq!(proof, whole);
    // A file that is cut short is not trusted.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
    assert!(serde_json::from_str::<Proof>(&text).unwrap().with_groups(&path).is_none());
}

#[test]
fn the_proof_of_times_says_the_first_and_the_last() {
    let split = by_time(MissingTimes::Refuse);
    let (proof, _) = account(&split, &times());
    let (_, parts) = proof.check(&split).unwrap();
    assert_eq!(parts[1].earliest, Some(at("2013-09-01T00:00:00Z")));
    assert_eq!(parts[1].latest, Some(at("2013-09-30T23:59:59.999Z")));
    // A row outside of its part's span is reported even if the sums agree.
    let mut proof = Proof::new(&split);
    proof.divide(&split, &times()).unwrap();
    proof.see_part(&split, 0, &times()).unwrap();
    assert!(proof.check(&split).unwrap_err().to_string().ends_with("part train holds times outside of its span"));
}

#[test]
fn key_sums_are_pinned() {
    // From Python: sum(xxhash.xxh3_128_intdigest(b'"%d"' % n) for n in range(3)) % 2**128
    let frame = df!("k" => [0, 1, 2]).unwrap();
    let (proof, _) = account(&by_hash(7), &frame);
    let (manifest, _) = proof.check(&by_hash(7)).unwrap();
    assert_eq!(serde_json::to_value(manifest.whole.sum).unwrap()["sum"], "5d86f25dc242d16776e6b8f62ef33799");
}

proptest! {
    #[test]
    fn parts_are_disjoint_complete_and_do_not_depend_on_the_rest(
        keys in prop::collection::btree_set(0..10_000_i64, 1..200), keep in 1..200_usize,
    ) {
        let keys: Vec<i64> = keys.into_iter().collect();
        let whole = by_hash(7).apply(&df!("k" => &keys).unwrap()).unwrap();
        let found: usize = whole.iter().map(DataFrame::height).sum();
        prop_assert_eq!(found, keys.len());
        let some: Vec<i64> = keys.iter().copied().take(keep).collect();
        let parts = by_hash(7).apply(&df!("k" => &some).unwrap()).unwrap();
        for (part, of_whole) in parts.iter().zip(&whole) {
            let values = |frame: &DataFrame| -> Vec<i64> {
                frame.column("k").unwrap().i64().unwrap().into_no_null_iter().collect()
            };
            let expected: Vec<i64> = values(of_whole).into_iter().filter(|key| some.contains(key)).collect();
            prop_assert_eq!(values(part), expected);
        }
    }

    #[test]
    fn strata_are_exact_and_add_up(
        rows in prop::collection::vec((0..400_i64, 0..4_i64), 1..400), train in 0.05..0.95_f64,
    ) {
        // The keys of a stratum are made distinct: equal ones stay together.
        let rows: std::collections::BTreeSet<(i64, i64)> = rows.into_iter().collect();
        let (keys, labels): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
        let frame = df!("k" => &keys, "s" => &labels).unwrap();
        let parts = vec![("train".to_owned(), train), ("test".to_owned(), 1.0 - train)];
        let split = Split::stratified(vec!["s".into()], vec!["k".into()], 7, parts).unwrap();
        let split = settled(split, &frame);
        let (proof, divided) = account(&split, &frame);
        prop_assert!(proof.check(&split).is_ok());
        prop_assert_eq!(&divided, &split.apply(&frame).unwrap());
        for stratum in split.strata().unwrap() {
            let label: serde_json::Value = serde_json::from_str(stratum.values()).unwrap();
            let label = label["s"].as_i64().unwrap();
            let trained = divided[0].column("s").unwrap().i64().unwrap().iter().filter(|s| *s == Some(label)).count();
            prop_assert_eq!(trained as f64, (train * stratum.rows() as f64).round());
        }
    }
}
