//! A bulk body as lines: the action of a document is put into the line of its source, as `_id`,
//! `_routing`, `_version` and `_op` beside `_source`. The line of the action stays empty, so that the
//! numbers of lines are those of the file.

use serde_json::{Map, Value};

use super::byte_source::ByteSource;
use super::lines::trimmed;
use super::options::ReadOptions;
use super::place::FilePlace;
use super::raw_chunk::RawChunk;
use super::read_error::ReadError;
use super::records::Quoting;
use super::refused::RefusedLine;
use super::text::Text;

/// The lines of a bulk body.
pub(crate) struct BulkLines {
    text: Text,
    /// The number of lines that were read.
    line: u64,
    /// An action whose source is the next line.
    action: Option<Pending>,
    has_ended: bool,
}

/// An action that waits for its source.
struct Pending {
    row: u64,
    offset: u64,
    text: Vec<u8>,
    envelope: Result<Map<String, Value>, String>,
}

impl BulkLines {
    pub(crate) fn open(source: ByteSource, read: &ReadOptions) -> Result<Self, ReadError> {
        let text = Text::open(source, Quoting::None, read)?;
        Ok(Self { text, line: 0, action: None, has_ended: false })
    }

    pub(crate) fn next(&mut self) -> Result<Option<RawChunk>, ReadError> {
        let Some(chunk) = self.text.next()? else {
            if std::mem::replace(&mut self.has_ended, true) {
                return Ok(None);
            }
            let left = self.action.take();
            return Ok(left.map(|action| RawChunk {
                refused: vec![action.refused("the line of its document is missing".to_owned())],
                ..RawChunk::default()
            }));
        };
        let mut lines = RawChunk { text: Vec::with_capacity(chunk.text.len()), ..RawChunk::default() };
        let mut start = 0;
        while let Some(rest) = chunk.text.get(start..).filter(|rest| !rest.is_empty()) {
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.line += 1;
            let (_, text) = trimmed(&rest[..length]);
            if !text.is_empty() {
                self.take(text, chunk.offset + start as u64, &mut lines);
            }
            lines.text.push(b'\n');
            start += length + 1;
        }
        Ok(Some(lines))
    }

    pub(crate) fn restart(&mut self) -> Result<bool, ReadError> {
        let is_there = self.text.jump(FilePlace { rows: 0, bytes: Some(0) })?;
        if is_there {
            (self.line, self.action, self.has_ended) = (0, None, false);
        }
        Ok(is_there)
    }

    /// Takes a line that is not blank.
    fn take(&mut self, text: &[u8], offset: u64, lines: &mut RawChunk) {
        let row = self.line;
        match self.action.take() {
            Some(Pending { envelope: Ok(envelope), .. }) => write(&envelope, Some(text), &mut lines.text),
            Some(action) => lines.refused.push(action.refused(String::new())),
            None => match action_of(text) {
                Ok(Action { needs_source: true, envelope }) => {
                    self.action = Some(Pending { row, offset, text: text.to_vec(), envelope });
                }
                Ok(Action { envelope: Ok(envelope), .. }) => write(&envelope, None, &mut lines.text),
                Ok(Action { envelope: Err(reason), .. }) | Err(reason) => {
                    lines.refused.push(RefusedLine::new(row, Some(offset), text, reason));
                }
            },
        }
    }
}

impl Pending {
    fn refused(self, reason: String) -> RefusedLine {
        let reason = self.envelope.err().unwrap_or(reason);
        RefusedLine::new(self.row, Some(self.offset), &self.text, reason)
    }
}

/// An action line that was understood.
struct Action {
    needs_source: bool,
    /// The members beside `_source`, or the reason for which a load cannot do it.
    envelope: Result<Map<String, Value>, String>,
}

/// Reads an action line.
fn action_of(text: &[u8]) -> Result<Action, String> {
    let wrong = || "it is not the action line of a bulk body".to_owned();
    let line: Map<String, Value> = serde_json::from_slice(text).map_err(|_| wrong())?;
    let mut members = line.into_iter();
    let (Some((operation, Value::Object(metadata))), None) = (members.next(), members.next()) else {
        return Err(wrong());
    };
    if !OPERATIONS.contains(&operation.as_str()) {
        return Err(wrong());
    }
    let needs_source = operation != "delete";
    Ok(Action { needs_source, envelope: envelope(operation, metadata) })
}

/// The operations of bulk bodies.
const OPERATIONS: [&str; 4] = ["index", "create", "update", "delete"];

/// The metadata of a document as members beside its `_source`.
fn envelope(operation: String, metadata: Map<String, Value>) -> Result<Map<String, Value>, String> {
    if operation == "update" {
        return Err("an update changes a part of a document, and files hold whole ones; replay the body".to_owned());
    }
    let is_external =
        metadata.get("version_type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("external"));
    let mut envelope = Map::from_iter([("_op".to_owned(), Value::String(operation))]);
    for (name, value) in metadata {
        match name.as_str() {
            "_id" => drop(envelope.insert(name, value)),
            "routing" | "_routing" => drop(envelope.insert("_routing".to_owned(), value)),
            "version" | "_version" if is_external => drop(envelope.insert("_version".to_owned(), value)),
            // The documents go to the index of the load.
            "_index" | "_type" | "version" | "_version" | "version_type" | "require_alias" => {}
            _ => return Err(format!("its action has `{name}`, which a load of files does not take; replay the body")),
        }
    }
    Ok(envelope)
}

fn write(envelope: &Map<String, Value>, source: Option<&[u8]>, to: &mut Vec<u8>) {
    to.push(b'{');
    for (number, (name, value)) in envelope.iter().enumerate() {
        if number > 0 {
            to.push(b',');
        }
        // These are names without anything to escape.
        to.extend_from_slice(format!("\"{name}\":{value}").as_bytes());
    }
    if let Some(source) = source {
        to.extend_from_slice(b",\"_source\":");
        to.extend_from_slice(source);
    }
    to.push(b'}');
}

/// True if two lines are the beginning of a bulk body.
pub(crate) fn begins_bulk(first: &[u8], second: Option<&[u8]>) -> bool {
    let action = |line: &[u8]| action_of(line).ok();
    match (action(first), second.map(action)) {
        (Some(Action { needs_source: true, .. }), Some(None)) => true,
        (Some(Action { needs_source: false, envelope: Ok(envelope) }), _) => envelope.contains_key("_id"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines(text: &str, piece_bytes: usize) -> (String, Vec<(u64, String)>) {
        let source = ByteSource::Once(Some(Box::new(Cursor::new(text.to_owned()))), None);
        let mut bulk = BulkLines::open(source, &ReadOptions { piece_bytes, ..ReadOptions::default() }).unwrap();
        let (mut found, mut refused) = (Vec::new(), Vec::new());
        while let Some(chunk) = bulk.next().unwrap() {
            found.extend(chunk.text);
            refused.extend(chunk.refused.into_iter().map(|line| (line.row, line.reason)));
        }
        (String::from_utf8(found).unwrap(), refused)
    }

    #[test]
    fn the_action_of_a_document_is_in_its_line() {
        let body = concat!(
            "{\"index\":{\"_index\":\"x\",\"_id\":\"a\\\"\",\"routing\":\"r\"}}\n{\"n\": 1.50}\n",
            "\n",
            "{\"create\":{\"version\":7,\"version_type\":\"external_gte\"}}\r\n {\"n\":2}\r\n",
            "{\"delete\":{\"_id\":\"b\"}}\n",
            "{\"update\":{\"_id\":\"c\"}}\n{\"doc\":{}}\n",
            "{\"index\":{\"pipeline\":\"p\"}}\n{\"n\":3}\n",
            "{\"n\":4}\n",
            "{\"index\":{}}"
        );
        let expected = concat!(
            "\n{\"_op\":\"index\",\"_id\":\"a\\\"\",\"_routing\":\"r\",\"_source\":{\"n\": 1.50}}\n",
            "\n",
            "\n{\"_op\":\"create\",\"_version\":7,\"_source\":{\"n\":2}}\n",
            "{\"_op\":\"delete\",\"_id\":\"b\"}\n",
            "\n\n\n\n\n\n",
        );
        let reasons = [
            (7, "an update changes a part of a document, and files hold whole ones; replay the body"),
            (9, "its action has `pipeline`, which a load of files does not take; replay the body"),
            (11, "it is not the action line of a bulk body"),
            (12, "the line of its document is missing"),
        ];
        for piece_bytes in [1, 50, 1 << 20] {
            let (found, refused) = lines(body, piece_bytes);
            assert_eq!(found, expected);
            assert_eq!(refused, reasons.map(|(row, reason)| (row, reason.to_owned())));
        }
    }

    #[test]
    fn a_bulk_body_is_recognized_by_its_first_lines() {
        let table: [(&str, Option<&str>, bool); 7] = [
            ("{\"index\":{\"_id\":\"1\"}}", Some("{\"a\":1}"), true),
            ("{\"create\":{}}", Some("{\"a\":1}"), true),
            ("{\"index\":{}}", Some("{\"index\":{}}"), false),
            ("{\"index\":{}}", None, false),
            ("{\"delete\":{\"_id\":\"1\"}}", None, true),
            ("{\"index\":1}", Some("{\"a\":1}"), false),
            ("{\"a\":{}}", Some("{\"a\":1}"), false),
        ];
        for (first, second, expected) in table {
            assert_eq!(begins_bulk(first.as_bytes(), second.map(str::as_bytes)), expected, "{first}");
        }
    }
}
