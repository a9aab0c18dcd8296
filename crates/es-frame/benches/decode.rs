//! The speed at which pages of hits become columns, in bytes of the response a second on one core: beside
//! `serde_json` and `sonic-rs` with a seed that puts values into columns, and the tape of
//! `simd-json`, which has no columns yet.
//!
//! `cargo bench -p es-frame --bench decode`. The bytes are those of a page as a server sends it.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up stops")]

use std::fmt::{self, Write as _};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use es_core::Mapping;
use es_frame::{ColumnRequest, DecodeOptions, FieldSource, HitDecoder};
use polars::prelude::{ChunkedBuilder as _, Float64Type, Int64Type, PrimitiveChunkedBuilder, StringChunkedBuilder};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Case {
    /// Twenty fields of numbers, short keywords and dates, as documents.
    Source20,
    /// The same from doc values.
    DocValues20,
    /// The same, of which every second document lacks some.
    Gaps20,
    Source5,
    DocValues5,
    /// Texts with escapes in them.
    Escapes,
    /// Vectors of 384 numbers.
    Vector384,
}

const CASES: [Case; 7] =
    [Case::Source20, Case::DocValues20, Case::Gaps20, Case::Source5, Case::DocValues5, Case::Escapes, Case::Vector384];

#[divan::bench(args = CASES)]
fn ours(bencher: Bencher<'_, '_>, case: Case) {
    let (decoder, body) = (case.decoder(), case.body());
    assert_eq!(decoder.decode(&body).unwrap().frame.height(), case.rows());
    bencher.counter(BytesCount::new(body.len())).bench_local(|| black_box(decoder.decode(black_box(&body)).unwrap()));
}

#[divan::bench(args = CASES)]
fn serde_json_seed(bencher: Bencher<'_, '_>, case: Case) {
    let body = case.body();
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let mut page = Page::new(case);
        page.read(&mut serde_json::Deserializer::from_slice(black_box(&body))).unwrap();
        black_box(page.finish(case))
    });
}

#[divan::bench(args = CASES)]
fn sonic_rs_seed(bencher: Bencher<'_, '_>, case: Case) {
    let body = case.body();
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let mut page = Page::new(case);
        page.read(&mut sonic_rs::Deserializer::from_slice(black_box(&body))).unwrap();
        black_box(page.finish(case))
    });
}

/// It parses in place, so that each round needs a copy, which is not counted.
#[divan::bench(args = CASES)]
fn simd_json_tape(bencher: Bencher<'_, '_>, case: Case) {
    let body = case.body();
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| body.clone())
        .bench_local_values(|mut body| black_box(simd_json::to_tape(&mut body).unwrap().0.len()));
}

/// The type of a field of a page.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Integer,
    Float,
    Keyword,
    Date,
    Text,
    Vector,
}

impl Case {
    fn rows(self) -> usize {
        match self {
            Self::Vector384 => 500,
            _ => 5_000,
        }
    }

    fn is_doc_values(self) -> bool {
        matches!(self, Self::DocValues20 | Self::DocValues5)
    }

    fn fields(self) -> Vec<(&'static str, Kind)> {
        use Kind::{Date, Float, Integer, Keyword, Text, Vector};
        let all = vec![
            ("carrier", Keyword),
            ("flight", Integer),
            ("tail_number", Keyword),
            ("origin", Keyword),
            ("dest", Keyword),
            ("dep_delay", Integer),
            ("arr_delay", Integer),
            ("air_time", Float),
            ("distance", Float),
            ("scheduled", Date),
            ("departed", Date),
            ("hour", Integer),
            ("minute", Integer),
            ("seats", Integer),
            ("fare", Float),
            ("status", Keyword),
            ("gate", Keyword),
            ("passengers", Integer),
            ("load_factor", Float),
            ("arrived", Date),
        ];
        match self {
            Self::Source20 | Self::DocValues20 | Self::Gaps20 => all,
            Self::Source5 | Self::DocValues5 => vec![all[0], all[1], all[5], all[8], all[9]],
            Self::Escapes => vec![("title", Text), ("body", Text)],
            Self::Vector384 => vec![("id", Keyword), ("vector", Vector)],
        }
    }

    fn decoder(self) -> HitDecoder {
        let mut properties = Map::new();
        for (name, kind) in self.fields() {
            let definition = match kind {
                Kind::Integer => json!({"type": "integer"}),
                Kind::Float => json!({"type": "double"}),
                Kind::Keyword => json!({"type": "keyword"}),
                Kind::Date => json!({"type": "date"}),
                Kind::Text => json!({"type": "text"}),
                Kind::Vector => json!({"type": "dense_vector", "dims": 384}),
            };
            properties.insert(name.to_owned(), definition);
        }
        let retrieval = if self.is_doc_values() { FieldSource::DocValues } else { FieldSource::Source };
        let version = "9.4.3".parse().ok();
        let options = DecodeOptions { columns: ColumnRequest::All, retrieval, version, ..DecodeOptions::default() };
        HitDecoder::with_options(&Mapping::new(properties), &options).unwrap()
    }

    /// The answer of a server, without white space, as it comes.
    fn body(self) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(1);
        let fields = self.fields();
        let mut text = String::from(
            r#"{"pit_id":"46ToAwMDaWR5BXV1aWQyKwZub2RlXzMAAAAAAAAAACoBYwADaWR4BXV1aWQxAgZub2RlXzE","took":12,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"max_score":null,"hits":["#,
        );
        for row in 0..self.rows() {
            let member = if self.is_doc_values() { "fields" } else { "_source" };
            write!(
                text,
                r#"{}{{"_index":"flights-departures-2013-01-000001","_id":"{:020x}","_score":null,"{member}":{{"#,
                if row > 0 { "," } else { "" },
                random.u64(..),
            )
            .unwrap();
            let mut is_first = true;
            for (name, kind) in &fields {
                if matches!(self, Self::Gaps20) && random.u8(..8) == 0 {
                    continue;
                }
                if !is_first {
                    text.push(',');
                }
                is_first = false;
                write!(text, "\"{name}\":").unwrap();
                if self.is_doc_values() {
                    text.push('[');
                }
                self.value(*kind, &mut random, &mut text);
                if self.is_doc_values() {
                    text.push(']');
                }
            }
            write!(text, r#"}},"sort":[{row}]}}"#).unwrap();
        }
        text.push_str("]}}");
        text.into_bytes()
    }

    fn value(self, kind: Kind, random: &mut fastrand::Rng, text: &mut String) {
        const WORDS: [&str; 8] = ["UA", "B6", "EWR", "N14228", "on_time", "C12", "JFK", "cancelled"];
        match kind {
            Kind::Integer => write!(text, "{}", random.i32(-60..3_000)).unwrap(),
            Kind::Float => write!(text, "{:.1}", f64::from(random.u32(0..50_000)) / 10.0).unwrap(),
            Kind::Keyword => write!(text, "\"{}\"", WORDS[random.usize(..WORDS.len())]).unwrap(),
            Kind::Date if self.is_doc_values() => {
                write!(text, "\"{}\"", random.i64(1_356_998_400_000..1_388_534_400_000)).unwrap();
            }
            Kind::Date => write!(
                text,
                "\"2013-{:02}-{:02}T{:02}:{:02}:00.000Z\"",
                random.u8(1..13),
                random.u8(1..29),
                random.u8(..24),
                random.u8(..60)
            )
            .unwrap(),
            Kind::Text => {
                let words: Vec<String> = (0..12).map(|_| format!("w\u{e9}rd{} \"q\"\n", random.u16(..))).collect();
                text.push_str(&json!(words.concat()).to_string());
            }
            Kind::Vector => {
                let numbers: Vec<String> = (0..384).map(|_| format!("{}", random.f32() * 2.0 - 1.0)).collect();
                write!(text, "[{}]", numbers.join(",")).unwrap();
            }
        }
    }
}

/// Columns that a seed fills, as one writes it with `serde`: a schema at run time, values
/// borrowed from the page, and the next field guessed.
struct Page {
    names: Vec<&'static str>,
    columns: Vec<Column>,
    next: usize,
}

enum Column {
    Integers(PrimitiveChunkedBuilder<Int64Type>),
    Floats(PrimitiveChunkedBuilder<Float64Type>),
    Texts(StringChunkedBuilder),
    Vectors(Vec<f32>),
}

impl Page {
    fn new(case: Case) -> Self {
        let fields = case.fields();
        let column = |(name, kind): &(&'static str, Kind)| match kind {
            Kind::Integer => Column::Integers(PrimitiveChunkedBuilder::new((*name).into(), case.rows())),
            Kind::Float => Column::Floats(PrimitiveChunkedBuilder::new((*name).into(), case.rows())),
            Kind::Vector => Column::Vectors(Vec::new()),
            Kind::Keyword | Kind::Date | Kind::Text => {
                Column::Texts(StringChunkedBuilder::new((*name).into(), case.rows()))
            }
        };
        Self {
            columns: fields.iter().map(column).collect(),
            names: fields.iter().map(|field| field.0).collect(),
            next: 0,
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        Level::Answer.seed(self).deserialize(deserializer)
    }

    /// The columns that are left: dates are still texts, which favours the seeds.
    fn finish(self, case: Case) -> usize {
        let lengths = self.columns.into_iter().map(|column| match column {
            Column::Integers(values) => values.finish().len(),
            Column::Floats(values) => values.finish().len(),
            Column::Texts(values) => values.finish().len(),
            Column::Vectors(values) => values.len(),
        });
        lengths.sum::<usize>().min(case.rows())
    }
}

#[derive(Clone, Copy)]
enum Level {
    Answer,
    Hits,
    Hit,
    Fields,
    Cell(usize),
}

impl Level {
    fn seed(self, page: &mut Page) -> Seed<'_> {
        Seed { level: self, page }
    }
}

struct Seed<'p> {
    level: Level,
    page: &'p mut Page,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn column(&mut self) -> Option<&mut Column> {
        match self.level {
            Level::Cell(column) => Some(&mut self.page.columns[column]),
            _ => None,
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a search")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.page.next = 0;
        while let Some(key) = map.next_key::<&str>()? {
            let level = match (self.level, key) {
                (Level::Answer | Level::Hits, "hits") => Level::Hits,
                (Level::Hit, "_source" | "fields") => Level::Fields,
                (Level::Fields, key) => {
                    let next = self.page.next;
                    let found = if self.page.names.get(next) == Some(&key) {
                        Some(next)
                    } else {
                        self.page.names.iter().position(|name| *name == key)
                    };
                    let column = found.ok_or_else(|| A::Error::custom("unknown"))?;
                    self.page.next = column + 1;
                    Level::Cell(column)
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            map.next_value_seed(level.seed(self.page))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let level = match self.level {
            Level::Hits => Level::Hit,
            other => other,
        };
        while items.next_element_seed(level.seed(self.page))?.is_some() {}
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(mut self, value: i64) -> Result<(), E> {
        match self.column() {
            Some(Column::Integers(values)) => values.append_value(value),
            Some(Column::Floats(values)) => values.append_value(value as f64),
            _ => return Err(E::custom("an integer")),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.visit_i64(value.cast_signed())
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<(), E> {
        match self.column() {
            Some(Column::Floats(values)) => values.append_value(value),
            Some(Column::Vectors(values)) => values.push(value as f32),
            _ => return Err(E::custom("a float")),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<(), E> {
        match self.column() {
            Some(Column::Texts(values)) => values.append_value(value),
            _ => return Err(E::custom("a text")),
        }
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The bodies are JSON.
#[divan::bench(max_time = 0.1)]
fn set_up() {
    for case in CASES {
        serde_json::from_slice::<Value>(&case.body()).unwrap();
    }
}
