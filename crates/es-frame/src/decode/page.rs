//! The parser of a response body: straight from bytes into column builders.
//!
//! Documents of one index repeat their fields in the same order, whatever order that is, so
//! each field is first taken for the one that came next in an earlier document.

use std::fmt;

use polars::prelude::DataFrame;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::HitPage;
use super::builder::{ColumnBuilder, Scalar};
use super::plan::{ColumnType, PlannedColumn};
use crate::error::{Error, ErrorKind};

/// Marks a message of ours inside an error of the JSON parser.
const VALUE: &str = "\u{1}";

pub(crate) fn decode(columns: &[PlannedColumn], body: &[u8]) -> Result<HitPage, Error> {
    let mut page = Page {
        columns,
        builders: columns.iter().map(|column| ColumnBuilder::new(column, 1024)).collect(),
        filled: vec![0; columns.len()],
        followers: vec![0; columns.len() + 1],
        is_mixed: columns.iter().any(|column| column.from_source.is_some()),
        rows: 0,
        id: String::new(),
        last_sort: None,
    };
    let mut parser = serde_json::Deserializer::from_slice(body);
    let envelope = EnvelopeSeed(&mut page)
        .deserialize(&mut parser)
        .and_then(|envelope| parser.end().map(|()| envelope))
        .map_err(malformed)?;
    if envelope.failed_shards > 0 || envelope.timed_out {
        let why = if envelope.timed_out { "the search timed out" } else { "some shards failed" };
        return Err(Error::new(ErrorKind::Partial, format!("{why}, so rows would be missing"))
            .with_help("see the server's log, and the health of the index"));
    }
    if !envelope.has_hits {
        return Err(Error::new(ErrorKind::Malformed, "the answer to a search has no hits in it"));
    }
    let Page { builders, rows, last_sort, .. } = page;
    let series = builders.into_iter().zip(columns).map(|(builder, column)| builder.finish(column));
    let frame = DataFrame::new(rows, series.collect::<Result<_, _>>()?)?;
    Ok(HitPage { frame, last_sort, pit_id: envelope.pit_id })
}

fn malformed(error: serde_json::Error) -> Error {
    let text = error.to_string();
    match text.split_once(VALUE) {
        Some((_, ours)) => {
            let message = ours.split(VALUE).next().unwrap_or(ours);
            Error::new(ErrorKind::Value, message)
        }
        None => Error::new(ErrorKind::Malformed, format!("the answer to a search cannot be read: {text}")),
    }
}

struct Page<'p> {
    columns: &'p [PlannedColumn],
    builders: Vec<ColumnBuilder>,
    /// For each column the number of the row (from 1) that last got a value, so that a
    /// missing or repeated field shows without clearing anything between rows.
    filled: Vec<usize>,
    /// For the beginning of a document, and then for each column, the column whose field came
    /// next the last time.
    followers: Vec<usize>,
    /// Whether `_source` was asked for, and holds fields whose values come as doc values.
    is_mixed: bool,
    rows: usize,
    id: String,
    last_sort: Option<String>,
}

#[derive(Default)]
struct Envelope {
    failed_shards: u64,
    timed_out: bool,
    pit_id: Option<String>,
    has_hits: bool,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

struct EnvelopeSeed<'a, 'p>(&'a mut Page<'p>);

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_, '_> {
    type Value = Envelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_, '_> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a search")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "pit_id" => envelope.pit_id = Some(map.next_value()?),
                "timed_out" => envelope.timed_out = map.next_value()?,
                "_shards" => envelope.failed_shards = map.next_value::<Shards>()?.failed,
                "hits" => {
                    map.next_value_seed(HitsSeed(self.0))?;
                    envelope.has_hits = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// The outer `hits`, and the list inside it.
struct HitsSeed<'a, 'p>(&'a mut Page<'p>);

impl<'de> DeserializeSeed<'de> for HitsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for HitsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("search hits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&str>()? {
            if key == "hits" {
                map.next_value_seed(HitsSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut hits: A) -> Result<(), A::Error> {
        let page = self.0;
        while hits.next_element_seed(HitSeed(page))?.is_some() {
            page.end_row();
        }
        Ok(())
    }
}

impl Page<'_> {
    fn end_row(&mut self) {
        self.rows += 1;
        for (builder, filled) in self.builders.iter_mut().zip(&mut self.filled) {
            if *filled < self.rows {
                builder.push_null();
                *filled = self.rows;
            }
        }
    }

    fn set(&mut self, column: usize, value: Scalar<'_>) -> Result<(), String> {
        if self.filled[column] > self.rows {
            return Err(self.complaint(column, "holds more than one value"));
        }
        self.builders[column].push(value).map_err(|_| {
            let wanted = &self.columns[column].field_type;
            self.complaint(column, &format!("holds {value}, which is no {wanted}"))
        })?;
        self.filled[column] = self.rows + 1;
        Ok(())
    }

    fn complaint(&self, column: usize, what: &str) -> String {
        let document = if self.id.is_empty() { "a document".to_owned() } else { format!("document {}", self.id) };
        format!("{VALUE}field {} of {document} {what}{VALUE}", self.columns[column].name)
    }

    fn set_metadata(&mut self, kind: ColumnType, value: &str) -> Result<(), String> {
        for column in 0..self.columns.len() {
            if self.columns[column].column_type == kind {
                self.set(column, Scalar::Text(value))?;
            }
        }
        Ok(())
    }
}

struct HitSeed<'a, 'p>(&'a mut Page<'p>);

impl<'de> DeserializeSeed<'de> for HitSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HitSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a search hit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let page = self.0;
        page.id.clear();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "_id" => {
                    // Ids with escapes in them cannot be borrowed from the body.
                    let id: std::borrow::Cow<'de, str> = map.next_value()?;
                    page.id.push_str(&id);
                    page.set_metadata(ColumnType::DocumentId, &id).map_err(A::Error::custom)?;
                }
                "_index" => {
                    let index: std::borrow::Cow<'de, str> = map.next_value()?;
                    page.set_metadata(ColumnType::IndexName, &index).map_err(A::Error::custom)?;
                }
                "_source" => {
                    let passes_over = page.is_mixed;
                    map.next_value_seed(CellsSeed { page, prefix: "", place: &mut 0, passes_over })?;
                }
                "fields" => {
                    map.next_value_seed(CellsSeed { page, prefix: "", place: &mut 0, passes_over: false })?;
                }
                "sort" => {
                    let raw: &RawValue = map.next_value()?;
                    let last = page.last_sort.get_or_insert_default();
                    last.clear();
                    last.push_str(raw.get());
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The fields of a document, or of an object in it.
struct CellsSeed<'a, 'p> {
    page: &'a mut Page<'p>,
    /// The path of the object, with a final dot; empty for the document itself.
    prefix: &'a str,
    /// 0 before the first field that is a column, then that column's number from 1.
    place: &'a mut usize,
    /// Whether columns that come as doc values are passed over.
    passes_over: bool,
}

impl<'de> DeserializeSeed<'de> for CellsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl CellsSeed<'_, '_> {
    /// The column of a key, tried first with the one that came next the last time.
    fn column(&self, key: &str) -> Option<usize> {
        let columns = self.page.columns;
        let is = |column: &PlannedColumn| {
            let name = column.name.as_str();
            // Lengths first: they tell most names apart without looking at them.
            name.len() == self.prefix.len() + key.len() && name.ends_with(key) && name.starts_with(self.prefix)
        };
        let guess = self.page.followers[*self.place];
        if columns.get(guess).is_some_and(is) {
            return Some(guess);
        }
        columns.iter().position(is)
    }

    /// Whether columns lie inside the object that a key holds.
    fn leads_to_columns(&self, key: &str) -> bool {
        self.page.columns.iter().any(|column| {
            let rest = column.name.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix(key));
            rest.is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

impl<'de> Visitor<'de> for CellsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(&self))? {
            match key {
                Key::Column(column) if self.passes_over && self.page.columns[column].from_source.is_none() => {
                    map.next_value::<IgnoredAny>()?;
                }
                Key::Column(column) => {
                    self.page.followers[*self.place] = column;
                    *self.place = column + 1;
                    map.next_value_seed(CellSeed { page: self.page, column })?;
                }
                Key::Object(prefix) => {
                    let (page, place, passes_over) = (&mut *self.page, &mut *self.place, self.passes_over);
                    map.next_value_seed(CellsSeed { page, prefix: &prefix, place, passes_over })?;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// What a key of a document leads to.
enum Key {
    Column(usize),
    /// An object that columns lie in, by their common prefix.
    Object(String),
    Other,
}

/// Looks a key up while it is parsed, so that it never has to be copied.
struct KeySeed<'s, 'a, 'p>(&'s CellsSeed<'a, 'p>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_, '_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_, '_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
        Ok(match self.0.column(key) {
            Some(column) => Key::Column(column),
            None if self.0.leads_to_columns(key) => Key::Object(format!("{}{key}.", self.0.prefix)),
            None => Key::Other,
        })
    }
}

/// The value of a field: a scalar, a null, or a list with at most one value.
struct CellSeed<'a, 'p> {
    page: &'a mut Page<'p>,
    column: usize,
}

impl CellSeed<'_, '_> {
    fn set<E: serde::de::Error>(self, value: Scalar<'_>) -> Result<(), E> {
        self.page.set(self.column, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a field")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.set(Scalar::Boolean(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.set(Scalar::Signed(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.set(Scalar::Unsigned(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.set(Scalar::Float(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.set(Scalar::Text(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(CellSeed { page: self.page, column: self.column })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(self.page.complaint(self.column, "holds an object")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnRequest, HitDecoder};
    use super::*;
    use polars::prelude::*;
    use serde_json::{Value, json};

    fn decoder() -> HitDecoder {
        let mapping = serde_json::from_value(json!({"properties": {
            "s": {"type": "keyword"}, "n": {"type": "integer"}, "f": {"type": "double"}, "b": {"type": "boolean"},
            "t": {"type": "date"}, "o": {"properties": {"x": {"type": "long"}}}, "_id": {"type": "keyword"}
        }}));
        let names = ["s", "n", "f", "b", "t", "o.x", "_id"].map(String::from).to_vec();
        HitDecoder::new(&mapping.unwrap(), &ColumnRequest::Named(names)).unwrap()
    }

    fn answer(hits: Value) -> Vec<u8> {
        json!({"pit_id": "p", "timed_out": false, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits}})
            .to_string()
            .into_bytes()
    }

    fn decode(hits: Value) -> Result<HitPage, Error> {
        decoder().decode(&answer(hits))
    }

    #[test]
    fn hits_become_rows_in_either_form() {
        let page = decode(json!([
            {"_id": "a", "_source": {"s": "x\n", "n": 1, "f": 1.5, "b": true, "t": "2013-01-01T10:00:00.000Z", "o": {"x": 9, "y": 1}}},
            {"_id": "b\"", "fields": {"o.x": [8], "t": ["1357034400000"], "b": [false], "n": [-2]}, "sort": [18446744073709551615_u64, "k"]},
            {"_id": "c", "_source": {"unknown": {"s": 1}, "s": null, "n": [], "f": 2}},
            {"_id": "d"}
        ]))
        .unwrap();
        let expected = df!(
            "s" => [Some("x\n"), None, None, None],
            "n" => [Some(1), Some(-2), None, None],
            "f" => [Some(1.5), None, Some(2.0), None],
            "b" => [Some(true), Some(false), None, None],
            "t" => [Some(1_357_034_400_000_i64), Some(1_357_034_400_000), None, None],
            "o.x" => [Some(9_i64), Some(8), None, None],
            "_id" => ["a", "b\"", "c", "d"],
        )
        .unwrap();
        let time = expected.column("t").unwrap().cast(page.frame.column("t").unwrap().dtype()).unwrap();
        let expected = expected.clone().with_column(time).unwrap().clone();
        assert!(page.frame.equals_missing(&expected), "{} {expected}", page.frame);
        assert_eq!(page.last_sort.as_deref(), Some(r#"[18446744073709551615,"k"]"#));
        assert_eq!(page.pit_id.as_deref(), Some("p"));
        assert_eq!(page.frame.schema().as_ref(), &decoder().schema());
    }

    #[test]
    fn fields_are_found_in_any_order() {
        // `Value` would keep the order of its keys, but not that of a server: text it is.
        let documents = [
            r#"{"b":true,"n":1,"s":"x"}"#,
            r#"{"b":false,"n":2,"s":"y"}"#,
            r#"{"s":"z","o":{"x":7},"b":true}"#,
            r#"{"s":"w","n":4,"o":{"x":8},"other":1,"b":false}"#,
        ];
        let hits: Vec<String> = documents.iter().map(|source| format!(r#"{{"_id":"i","_source":{source}}}"#)).collect();
        let body = format!(r#"{{"timed_out":false,"_shards":{{"failed":0}},"hits":{{"hits":[{}]}}}}"#, hits.join(","));
        let frame = decoder().decode(body.as_bytes()).unwrap().frame;
        let expected = df!(
            "s" => ["x", "y", "z", "w"],
            "n" => [Some(1), Some(2), None, Some(4)],
            "b" => [true, false, true, false],
            "o.x" => [None, None, Some(7_i64), Some(8)],
        )
        .unwrap();
        assert!(frame.select(["s", "n", "b", "o.x"]).unwrap().equals_missing(&expected), "{frame}");
    }

    #[test]
    fn values_that_do_not_fit_name_field_and_document() {
        let table = [
            (json!({"n": 3_000_000_000_u64}), "field n of document d holds 3000000000, which is no integer"),
            (json!({"n": [1, 2]}), "field n of document d holds more than one value"),
            (json!({"t": "soon"}), "field t of document d holds \"soon\", which is no date"),
            (json!({"s": {"a": 1}}), "field s of document d holds an object"),
        ];
        for (source, expected) in table {
            let error = decode(json!([{"_id": "d", "_source": source}])).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Value, expected));
        }
    }

    #[test]
    fn an_answer_that_lacks_rows_is_refused() {
        let whole = answer(json!([{"_id": "a", "_source": {"s": "x"}}]));
        for cut in 0..whole.len() {
            let error = decoder().decode(&whole[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{cut}");
        }
        let partial = [
            json!({"timed_out": true, "_shards": {"failed": 0}, "hits": {"hits": []}}),
            json!({"timed_out": false, "_shards": {"failed": 1}, "hits": {"hits": []}}),
        ];
        for body in partial {
            let error = decoder().decode(body.to_string().as_bytes()).unwrap_err();
            assert!(error.is_retryable());
        }
        for body in ["{}", "[]", "<html>", "{\"hits\":{\"hits\":[]}} trailing"] {
            assert_eq!(decoder().decode(body.as_bytes()).unwrap_err().kind(), ErrorKind::Malformed, "{body}");
        }
    }
}
