//! The beginning of a search's answer: the id of its context, whether it is complete. Pure.
//!
//! Elasticsearch writes these members before the hits and aggregations, so reading stops there
//! and costs the same for any size of page. In another order the whole answer is scanned.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::failed_shard::Shards;
use crate::error::{Error, ErrorKind};

/// The members of an answer that decide whether it can be used.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// `pit_id` or `_scroll_id`.
    pub(super) id: Option<String>,
    timed_out: Option<bool>,
    shards: Option<Shards>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Member {
    #[serde(rename = "pit_id", alias = "_scroll_id")]
    Id,
    #[serde(rename = "timed_out")]
    TimedOut,
    #[serde(rename = "_shards")]
    Shards,
    #[serde(other)]
    Other,
}

impl Head {
    /// Reads the head of an answer, as far as it can be read.
    pub(super) fn read(body: &[u8], with_id: bool) -> Self {
        let mut head = Self::default();
        // Leaving the object early is an error to the parser; what is missing is checked later.
        let _ = Reader { head: &mut head, with_id }.deserialize(&mut serde_json::Deserializer::from_slice(body));
        head
    }

    /// Itself, if the answer is complete.
    pub(super) fn check(self) -> Result<Self, Error> {
        let unreadable = |name: &str| {
            let message = format!("the answer to a search cannot be read: expected `{name}`, found none");
            Error::new(ErrorKind::Decode, message)
        };
        let Self { id, timed_out, shards } = self;
        let timed_out = timed_out.ok_or_else(|| unreadable("timed_out"))?;
        let shards = shards.ok_or_else(|| unreadable("_shards"))?;
        let shards = shards.whole("the search").map_err(|error| {
            error.with_help("documents are missing from the answer: wait until the index is green or yellow")
        })?;
        if timed_out {
            let message = "the search timed out before all documents were seen";
            return Err(Error::new(ErrorKind::PartialResult, message)
                .with_help("raise `timeout` in the body of the search, or leave it out"));
        }
        Ok(Self { id, timed_out: Some(timed_out), shards: Some(shards) })
    }
}

struct Reader<'a> {
    head: &'a mut Head,
    with_id: bool,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a search")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        let Self { head, with_id } = self;
        while let Some(member) = members.next_key()? {
            match member {
                Member::Id => head.id = members.next_value()?,
                Member::TimedOut => head.timed_out = Some(members.next_value()?),
                Member::Shards => head.shards = Some(members.next_value()?),
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
            let has_id = head.id.is_some() || !with_id;
            if has_id && head.timed_out.is_some() && head.shards.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &str) -> Result<Option<String>, Error> {
        Head::read(body.as_bytes(), true).check().map(|head| head.id)
    }

    #[test]
    fn the_id_of_a_complete_answer_is_found_in_any_order_of_members() {
        let shards = r#""_shards":{"total":1,"successful":1,"skipped":0,"failed":0}"#;
        let hits = r#""hits":{"hits":[{"_source":{"pit_id":"not this one","timed_out":true}}]}"#;
        for body in [
            format!(r#"{{"pit_id":"abc==","took":1,"timed_out":false,{shards},{hits}}}"#),
            format!(r#"{{"_scroll_id":"abc==","took":1,"timed_out":false,{shards},{hits}}}"#),
            format!(r#" {{ {hits}, {shards}, "timed_out" : false , "pit_id" : "abc\u003d=" }}"#),
        ] {
            assert_eq!(read(&body).unwrap().as_deref(), Some("abc=="), "{body}");
        }
        assert_eq!(read(&format!(r#"{{"timed_out":false,{shards},{hits}}}"#)).unwrap(), None);
    }

    #[test]
    fn reading_stops_before_the_hits() {
        let body = r#"{"pit_id":"a","timed_out":false,"_shards":{"failed":0},"hits":{{{"#;
        assert_eq!(read(body).unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn partial_answers_are_refused() {
        let failed = r#"{"timed_out":false,"_shards":{"total":3,"failed":1,"failures":[
            {"shard":2,"index":"flights","reason":{"type":"io_exception","reason":"disk"}}]},"hits":{}}"#;
        let error = read(failed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartialResult);
        assert_eq!(error.to_string(), "the search failed on 1 of 3 shards: shard [flights][2]: io_exception: disk");
        assert_eq!(error.failed_shards().len(), 1);
        let error = read(r#"{"timed_out":true,"_shards":{"failed":0},"hits":{}}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartialResult);
        assert_eq!(error.to_string(), "the search timed out before all documents were seen");
    }

    #[test]
    fn an_answer_that_does_not_say_whether_it_is_complete_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"timed_out":false,"hits":{}}"#,
            r#"{"_shards":{"failed":0},"hits":{}}"#,
            r#"{"timed_out":false,"_shards":{},"hits":{}}"#,
            r#"{"timed_out":null,"_shards":{"failed":0}}"#,
            r#"{"timed_out":false,"_sh"#,
        ] {
            assert_eq!(read(body).unwrap_err().kind(), ErrorKind::Decode, "{body}");
        }
    }

    proptest! {
        #[test]
        fn only_failures_of_the_answer_itself_count(
            failed in 0_u32..3, timed_out: bool, id in "\\PC{0,12}", text in "\\PC*", last: bool,
        ) {
            let hits = json!({"hits": [{"_id": text, "_source": {"_shards": {"failed": 9}, "timed_out": true}}]});
            let head = json!({"pit_id": id, "timed_out": timed_out, "_shards": {"failed": failed}});
            let mut body = serde_json::Map::new();
            if last {
                body.insert("hits".to_owned(), hits.clone());
            }
            body.extend(head.as_object().unwrap().clone());
            body.insert("hits".to_owned(), hits);
            let found = read(&Value::Object(body).to_string());
            prop_assert_eq!(found.ok().flatten(), (failed == 0 && !timed_out).then_some(id));
        }
    }
}
