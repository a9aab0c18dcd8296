//! The definition of a pipeline, as it stands in a file. Its effect is left to the cluster.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::steps;
use crate::error::Error;
use crate::registry::Checksum;

/// An ingest pipeline: the processors that each document passes before it is written.
///
/// ```yaml
/// description: names of airports in upper case
/// processors:
///   - uppercase: { field: origin }
///   - script: { source: "ctx.speed = ctx.distance / ctx.air_time" }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestPipeline {
    /// A text for people. A change of it alone makes no other pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The processors, in the order in which a document passes them.
    #[serde(deserialize_with = "processors")]
    #[schemars(length(min = 1))]
    pub processors: Vec<Processor>,
    /// The processors of a document that one of `processors` failed on. Without any, it is rejected.
    #[serde(default, deserialize_with = "on_failure", skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<Processor>,
}

/// A processor: its type, and its options as the cluster takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Its type, such as `set`.
    pub kind: String,
    /// Its options. Only the cluster knows which there are.
    pub options: Map<String, Value>,
}

impl Processor {
    /// A processor of a type, with its options.
    #[must_use]
    pub fn new(kind: impl Into<String>, options: Map<String, Value>) -> Self {
        Self { kind: kind.into(), options }
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ self.kind.as_str(): self.options })
    }
}

impl IngestPipeline {
    /// Returns the checksum of `processors` and `on_failure`, in which neither the order of keys nor the
    /// description counts.
    #[must_use]
    pub fn fingerprint(&self) -> Checksum {
        Checksum::of_json(&self.body())
    }

    /// Checks what can be checked without a cluster: each processor, also one inside of another, is an
    /// object with one key, and none sends documents to another index.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], with the position of the processor.
    pub fn check(&self) -> Result<(), Error> {
        steps::check(self)
    }

    /// The processors, as the cluster takes them.
    pub(super) fn body(&self) -> Value {
        let list = |processors: &[Processor]| processors.iter().map(Processor::to_value).collect::<Value>();
        let mut body = json!({ "processors": list(&self.processors) });
        if !self.on_failure.is_empty() {
            body["on_failure"] = list(&self.on_failure);
        }
        body
    }
}

impl Serialize for Processor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.kind, &self.options)?;
        map.end()
    }
}

impl JsonSchema for Processor {
    fn schema_name() -> Cow<'static, str> {
        "IngestProcessor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "title": "processor",
            "additionalProperties": { "type": "object" },
            "description": "An ingest processor of Elasticsearch: its type, with its options.",
            "examples": [{ "set": { "field": "source", "value": "flights" } }],
        })
    }
}

impl<'de> Deserialize<'de> for Processor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneKey)
    }
}

/// Reads an object of one key. It sees a key that is there twice, which a map of values would not.
struct OneKey;

impl<'de> Visitor<'de> for OneKey {
    type Value = Processor;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a processor: an object with one key, its type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Processor, A::Error> {
        let Some(kind) = map.next_key::<String>()? else {
            return Err(A::Error::custom(steps::NO_KEY));
        };
        let options: Value = map.next_value()?;
        let mut keys = vec![kind];
        while let Some((key, _)) = map.next_entry::<String, Value>()? {
            keys.push(key);
        }
        if keys.len() > 1 {
            return Err(A::Error::custom(steps::many_keys(&keys)));
        }
        let kind = keys.remove(0);
        match options {
            Value::Object(options) => Ok(Processor { kind, options }),
            other => Err(A::Error::custom(steps::no_options(&kind, &other))),
        }
    }
}

fn processors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Processor>, D::Error> {
    let read = deserializer.deserialize_seq(List("processors"))?;
    if read.is_empty() {
        return Err(D::Error::custom("processors is empty: expected one processor or more"));
    }
    Ok(read)
}

fn on_failure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Processor>, D::Error> {
    deserializer.deserialize_seq(List("on_failure"))
}

/// Reads processors, and adds the position to what is wrong with one.
struct List(&'static str);

impl<'de> Visitor<'de> for List {
    type Value = Vec<Processor>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of processors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Processor>, A::Error> {
        let mut read = Vec::new();
        loop {
            let position = format!("{}[{}]", self.0, read.len());
            match seq.next_element::<Processor>() {
                Ok(None) => return Ok(read),
                Ok(Some(processor)) => {
                    steps::check_inside(&position, &processor).map_err(A::Error::custom)?;
                    read.push(processor);
                }
                Err(error) => return Err(A::Error::custom(format!("{position}: {error}"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = serde_json::from_str::<IngestPipeline>(text).unwrap_err().to_string();
        error.split(" at line ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_mistake_is_named_by_its_position() {
        let table = [
            (
                r#"{"processors": [{"set": {}}, {"drop": {}}, {"set": {}, "script": {}}]}"#,
                "processors[2]: two keys, `set` and `script`",
            ),
            (r#"{"processors": [{"set": {}, "set": {}}]}"#, "processors[0]: two keys, `set` and `set`"),
            (r#"{"processors": [{"a": {}, "b": {}, "c": {}}]}"#, "processors[0]: 3 keys, `a`, `b`, `c`"),
            (r#"{"processors": [{}]}"#, "processors[0]: no key, expected the type of a processor"),
            (r#"{"processors": [{"set": "x"}]}"#, "processors[0]: the options of `set` are a text, expected an object"),
            (
                r#"{"processors": [{"drop": null}]}"#,
                "processors[0]: the options of `drop` are missing, expected an object (`{}` where there are none)",
            ),
            (
                r#"{"processors": ["drop"]}"#,
                "processors[0]: invalid type: string \"drop\", expected a processor: an object with one key, its type",
            ),
            (
                r#"{"processors": [{"foreach": {"field": "l", "processor": {"set": {}, "drop": {}}}}]}"#,
                "processors[0].foreach.processor: two keys, `set` and `drop`",
            ),
            (
                r#"{"processors": [{"set": {"on_failure": [{"set": {}}, {}]}}]}"#,
                "processors[0].set.on_failure[1]: no key, expected the type of a processor",
            ),
            (
                r#"{"processors": [{"set": {"on_failure": {}}}]}"#,
                "processors[0].set.on_failure is an object, expected a list of processors",
            ),
            (
                r#"{"processors": [{"foreach": {"field": "l"}}]}"#,
                "processors[0].foreach.processor: it is missing, expected a processor",
            ),
            (
                r#"{"processors": [{"set": {}}], "on_failure": [{"set": {}}, {}]}"#,
                "on_failure[1]: no key, expected the type of a processor",
            ),
            (r#"{"processors": []}"#, "processors is empty: expected one processor or more"),
            (
                r#"{"processors": [{"set": {}}], "onfailure": []}"#,
                "unknown field `onfailure`, expected one of `description`, `processors`, `on_failure`",
            ),
            (r#"{"on_failure": []}"#, "missing field `processors`"),
        ];
        for (text, message) in table {
            assert_eq!(error(text), message, "{text}");
        }
    }

    #[test]
    fn the_fingerprint_depends_on_what_a_document_passes_alone() {
        let of = |text: &str| serde_json::from_str::<IngestPipeline>(text).unwrap().fingerprint();
        let one =
            of(r#"{"processors": [{"set": {"field": "x", "value": {"a": 1, "b": 2.50}}}, {"drop": {"if": "false"}}]}"#);
        let same = r#"{"description": "d", "on_failure": [], "processors": [{"set": {"value": {"b": 2.5, "a": 1}, "field": "x"}}, {"drop": {"if": "false"}}]}"#;
        assert_eq!(of(same), one);
        for other in [
            r#"{"processors": [{"drop": {"if": "false"}}, {"set": {"field": "x", "value": {"a": 1, "b": 2.5}}}]}"#,
            r#"{"processors": [{"set": {"field": "x", "value": {"a": "1", "b": 2.5}}}, {"drop": {"if": "false"}}]}"#,
            r#"{"processors": [{"set": {"field": "x", "value": {"a": 1, "b": 2.5}}}], "on_failure": [{"drop": {"if": "false"}}]}"#,
        ] {
            assert_ne!(of(other), one, "{other}");
        }
    }

    #[test]
    fn a_definition_is_written_as_it_was_read() {
        let value = json!({
            "description": "d",
            "processors": [{"set": {"field": "b", "value": null, "a": [1, {"z": 1, "y": 2}]}}],
            "on_failure": [{"drop": {}}],
        });
        let read: IngestPipeline = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), value.to_string());
        let schema = serde_json::to_value(schemars::schema_for!(IngestPipeline)).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["$defs"]["IngestProcessor"]["maxProperties"], 1);
    }
}
