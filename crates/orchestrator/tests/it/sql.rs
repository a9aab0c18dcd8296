//! `sql` assets: what a query makes is what Polars makes of the files, and mistakes have places.

use polars::prelude::{ParquetReader, SerReader as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::{Live, Running};

const PIPELINE: &str = r#"version: 1
name: queries

assets:
  flights:
    kind: ingest
    from: { path: flights.csv }
    id: [number]
    index:
      settings: { number_of_shards: 2, number_of_replicas: 0 }
      mappings: { properties: { carrier: { type: keyword }, note: { type: keyword, ignore_above: 3 } } }

  carriers:
    kind: ingest
    from: { path: carriers.csv }
    id: [code]
    index: { mappings: { properties: { code: { type: keyword } } } }

  late:
    kind: sql
    sql: |
      WITH late AS (
        SELECT number, carrier, delay, note FROM flights WHERE delay > 15
      )
      SELECT l.number, l.delay * 2 AS twice, l.delay > 60 AS very, l.note, c.name
      FROM late l LEFT JOIN carriers c ON l.carrier = c.code
    id: [number]
    index: { settings: { number_of_replicas: 0 } }
    checks: [ { not_null: [number, very] } ]

  by_carrier:
    kind: sql
    sql: >
      SELECT carrier, COUNT(*) AS flights, AVG(delay) AS delay
      FROM flights GROUP BY carrier ORDER BY carrier
    to: { path: out/by_carrier }
"#;

fn write(live: &Live, shift: i64) {
    let mut flights = String::from("number,carrier,delay,note\n");
    for number in 0..500 {
        let carrier = ["AA", "B6", "UA", "ZZ"][number as usize % 4];
        // A fifth of the delays is not known; some notes are too long for the index.
        let delay = if number % 5 == 0 { String::new() } else { (number % 97 - 10 + shift).to_string() };
        let note = ["ok", "longer than three"][number as usize % 2];
        flights.push_str(&format!("{number},{carrier},{delay},{note}\n"));
    }
    live.write("flights.csv", flights);
    live.write("carriers.csv", "code,name\nAA,American\nB6,JetBlue\nUA,United\n");
}

fn steps(events: &[Value], event: &str) -> Vec<String> {
    let of = events.iter().filter(|one| one["event"] == event);
    of.map(|one| format!("{} {}", one["asset"].as_str().unwrap(), one["action"].as_str().unwrap_or_default())).collect()
}

#[test]
fn a_query_into_an_index_and_into_a_file() {
    let Some(live) = Live::plain("sql_both") else { return };
    live.write("pipeline.yaml", PIPELINE);
    write(&live, 0);
    let events = live.events(0, &["run"]);
    let mut done = steps(&events, "step_finished");
    done.sort();
    assert_eq!(done, ["by_carrier build", "carriers build", "flights build", "late build"]);

    let expected: Vec<i64> = (0..500).filter(|n| n % 5 != 0 && n % 97 - 10 > 15).collect();
    assert_eq!(live.count("late"), expected.len() as u64);
    let found = live.search("late", &json!({"size": 1000, "sort": ["number"]}));
    let rows: Vec<&Value> = found["hits"]["hits"].as_array().unwrap().iter().map(|hit| &hit["_source"]).collect();
    for (row, number) in rows.iter().zip(&expected) {
        let delay = number % 97 - 10;
        let name = [json!("American"), json!("JetBlue"), json!("United"), Value::Null][*number as usize % 4].clone();
        let note = ["ok", "longer than three"][*number as usize % 2];
        let seen = [&row["number"], &row["twice"], &row["very"], &row["note"], &row["name"]].map(Clone::clone);
        assert_eq!(seen, [json!(number), json!(delay * 2), json!(delay > 60), json!(note), name], "{row}");
    }
    let finished = events.iter().find(|one| one["event"] == "step_finished" && one["asset"] == "late").unwrap();
    let read = &finished["summary"]["read"];
    assert_eq!(read["flights"]["columns"], json!(["carrier", "delay", "note", "number"]));
    assert_eq!(read["flights"]["where"], json!({"range": {"delay": {"gt": 15}}}));
    assert_eq!(read["flights"]["rows"], json!(expected.len()), "only what the query uses is read");

    let file = std::fs::File::open(live.path("out/by_carrier/data.parquet")).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    let flights: Vec<u64> = (0..frame.height())
        .map(|row| frame.column("flights").unwrap().get(row).unwrap().try_extract().unwrap())
        .collect();
    assert_eq!(flights, [125; 4]);
    let carriers: Vec<Option<&str>> = frame.column("carrier").unwrap().str().unwrap().iter().collect();
    assert_eq!(carriers, [Some("AA"), Some("B6"), Some("UA"), Some("ZZ")]);
    assert!(std::fs::read_dir(live.path(".orchestrator/scratch")).unwrap().next().is_none(), "nothing is left");

    // Nothing to do; then one input changes, and a build that would change nothing is one as well.
    assert!(steps(&live.events(0, &["run"]), "step_finished").is_empty());
    write(&live, 1);
    let events = live.events(0, &["run"]);
    let mut done = steps(&events, "step_finished");
    done.sort();
    assert_eq!(done, ["by_carrier build", "flights build", "late build"]);
    let expected = (0..500).filter(|n| n % 5 != 0 && n % 97 - 9 > 15).count();
    assert_eq!(live.count("late"), expected as u64);
    assert_eq!(live.behind("late").len(), 1);
}

#[test]
fn mistakes_have_a_place_in_the_query() {
    let Some(mut live) = Live::plain("sql_mistakes") else { return };
    write(&live, 0);
    live.set("ORCHESTRATOR_RUN__CONCURRENCY", "1");
    for (name, from, to) in [
        ("sql_unknown_table", "FROM flights WHERE delay", "FROM fligts WHERE delay"),
        ("sql_syntax", "LEFT JOIN carriers c ON", "LEFT JOIN carriers c c ON"),
        ("sql_two_outputs", "    to: { path: out/by_carrier }", "    to: { path: out/by_carrier }\n    id: [carrier]"),
    ] {
        live.write("pipeline.yaml", PIPELINE.replace(from, to));
        live.golden(name, &["validate"]);
    }
    live.write("pipeline.yaml", PIPELINE);
    live.expect(0, &["run", "flights,carriers"]);
    for (name, from, to) in [
        ("sql_unknown_column", "l.note, c.name", "l.note, c.nam"),
        ("sql_wrong_types", "l.delay * 2 AS twice", "SUBSTR(l.delay, 2) AS twice"),
        ("sql_unknown_function", "AVG(delay)", "AVERAGE(delay)"),
    ] {
        live.write("pipeline.yaml", PIPELINE.replace(from, to));
        live.golden(name, &["plan"]);
    }
    // The columns of the result are known once it is there.
    live.write(
        "pipeline.yaml",
        PIPELINE.replace("    id: [number]\n    index: { settings: { number_of_replicas: 0 } }", "    id: [numbr]"),
    );
    live.golden("sql_unknown_id", &["run", "late"]);
    assert!(live.indices().iter().all(|(name, _)| !name.starts_with("late")), "{:?}", live.indices());
}

#[test]
fn an_interrupted_query_publishes_nothing() {
    let Some(live) = Live::plain("sql_interrupted") else { return };
    write(&live, 0);
    // Rows enough for a while: 500 to the third power.
    let slow = PIPELINE.replace(
        "      SELECT carrier, COUNT(*) AS flights, AVG(delay) AS delay\n      FROM flights GROUP BY carrier ORDER BY carrier",
        "      SELECT COUNT(*) AS n, SUM(a.delay + b.delay + c.delay) AS delay\n      FROM flights a CROSS JOIN flights b CROSS JOIN flights c",
    );
    assert_ne!(slow, PIPELINE);
    live.write("pipeline.yaml", slow);
    live.expect(0, &["run", "flights"]);
    let mut running = Running::start(&live, &["--json", "run", "by_carrier"]);
    running.until("step_started");
    std::thread::sleep(std::time::Duration::from_millis(800));
    let process = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(process, Signal::INT).unwrap();
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
    assert!(!live.path("out/by_carrier").exists());
    // A killed or stopped step's files go with the next.
    live.write("pipeline.yaml", PIPELINE);
    live.expect(0, &["run", "by_carrier"]);
    assert!(std::fs::read_dir(live.path(".orchestrator/scratch")).unwrap().next().is_none());
}
