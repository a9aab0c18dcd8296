//! The action line before a document.

use std::io::Write as _;

use crate::Operation;
use crate::error::{Error, ErrorKind};

/// An operation on a document, with its id and other metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action<'a> {
    /// The operation.
    pub operation: Operation,
    /// The document's id. Without one the server chooses it, and a document that is sent twice
    /// is there twice.
    pub id: Option<&'a str>,
    /// The value that selects the shard, instead of the id.
    pub routing: Option<&'a str>,
    /// The ingest pipeline that the document goes through.
    pub pipeline: Option<&'a str>,
    /// The document's version outside of Elasticsearch: an older version does not replace a
    /// newer one (`external_gte`).
    pub version: Option<u64>,
}

impl<'a> Action<'a> {
    /// An operation on the document with this id.
    pub fn new(operation: Operation, id: &'a str) -> Self {
        Self { operation, id: Some(id), ..Self::default() }
    }

    /// Writes the lines of a document and returns where its source begins, which for a removal
    /// is the end.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when the server would refuse the combination; `out` may have grown.
    pub(crate) fn write_lines(&self, source: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        self.check()?;
        self.write_action(out).map_err(|error| row_error(format!("an action cannot be written: {error}")))?;
        let start = out.len();
        let (before, after): (&[u8], &[u8]) = match self.operation {
            Operation::Index | Operation::Create => (b"", b"\n"),
            Operation::Update => (b"{\"doc\":", b"}\n"),
            Operation::Upsert => (b"{\"doc\":", b",\"doc_as_upsert\":true}\n"),
            Operation::Delete => return Ok(start),
        };
        let source = source.trim_ascii();
        if source.is_empty() {
            return Err(row_error("a document is empty".to_owned()));
        }
        out.extend_from_slice(before);
        let text = out.len();
        out.extend_from_slice(source);
        // In JSON a line break can only stand between values, where a space is as good.
        for byte in &mut out[text..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        out.extend_from_slice(after);
        Ok(start)
    }

    fn check(&self) -> Result<(), Error> {
        let name = self.name();
        if self.id.is_none() && self.operation.needs_id() {
            return Err(row_error(format!("{name} needs the id of a document")));
        }
        if self.id == Some("") {
            return Err(row_error("the id of a document is empty".to_owned()));
        }
        if self.version.is_some() && !self.operation.takes_version() {
            return Err(row_error(format!("{name} takes no version"))
                .with_help("versions go with the operations index and delete"));
        }
        if self.pipeline.is_some() && !self.operation.takes_pipeline() {
            return Err(row_error(format!("{name} takes no pipeline")));
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        match self.operation {
            Operation::Index => "index",
            Operation::Create => "create",
            Operation::Update | Operation::Upsert => "update",
            Operation::Delete => "delete",
        }
    }

    fn write_action(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(self.name().as_bytes());
        out.extend_from_slice(b"\":{");
        let texts = [("_id", self.id), ("routing", self.routing), ("pipeline", self.pipeline)];
        let mut is_first = true;
        for (name, text) in texts {
            let Some(text) = text else { continue };
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            serde_json::to_writer(&mut *out, text)?;
        }
        if let Some(version) = self.version {
            let comma = if is_first { "" } else { "," };
            write!(out, "{comma}\"version\":{version},\"version_type\":\"external_gte\"")
                .map_err(serde_json::Error::io)?;
        }
        out.extend_from_slice(b"}}\n");
        Ok(())
    }
}

fn row_error(message: String) -> Error {
    Error::new(ErrorKind::Row, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(action: Action<'_>, source: &str) -> Result<String, String> {
        let mut out = Vec::new();
        let start = action.write_lines(source.as_bytes(), &mut out).map_err(|error| error.to_string())?;
        let (action, source) = out.split_at(start);
        assert!(action.ends_with(b"\n") && (source.is_empty() || source.ends_with(b"\n")));
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_operation_has_its_form() {
        let of = |operation| Action::new(operation, "a\"\n");
        let source = " {\"x\":\r\n 1} \n";
        let table = [
            (Operation::Index, "{\"index\":{\"_id\":\"a\\\"\\n\"}}\n{\"x\":   1}\n"),
            (Operation::Create, "{\"create\":{\"_id\":\"a\\\"\\n\"}}\n{\"x\":   1}\n"),
            (Operation::Update, "{\"update\":{\"_id\":\"a\\\"\\n\"}}\n{\"doc\":{\"x\":   1}}\n"),
            (Operation::Upsert, "{\"update\":{\"_id\":\"a\\\"\\n\"}}\n{\"doc\":{\"x\":   1},\"doc_as_upsert\":true}\n"),
            (Operation::Delete, "{\"delete\":{\"_id\":\"a\\\"\\n\"}}\n"),
        ];
        for (operation, expected) in table {
            assert_eq!(lines(of(operation), source).unwrap(), expected);
        }
    }

    #[test]
    fn what_goes_along_is_written_in_order() {
        assert_eq!(lines(Action::default(), "{}").unwrap(), "{\"index\":{}}\n{}\n");
        let all =
            Action { routing: Some("r"), pipeline: Some("p"), version: Some(7), ..Action::new(Operation::Index, "1") };
        let expected =
            r#"{"index":{"_id":"1","routing":"r","pipeline":"p","version":7,"version_type":"external_gte"}}"#;
        assert_eq!(lines(all, "{}").unwrap(), format!("{expected}\n{{}}\n"));
        let alone = Action { version: Some(7), ..Action::default() };
        assert!(lines(alone, "{}").unwrap().starts_with("{\"index\":{\"version\":7,"));
    }

    #[test]
    fn what_the_server_would_refuse_is_refused_here() {
        let without_id = |operation| Action { operation, ..Action::default() };
        let versioned = |operation| Action { version: Some(1), ..Action::new(operation, "1") };
        let table = [
            (without_id(Operation::Update), "update needs the id of a document"),
            (without_id(Operation::Upsert), "update needs the id of a document"),
            (without_id(Operation::Delete), "delete needs the id of a document"),
            (Action::new(Operation::Index, ""), "the id of a document is empty"),
            (versioned(Operation::Create), "create takes no version"),
            (versioned(Operation::Update), "update takes no version"),
            (Action { pipeline: Some("p"), ..Action::new(Operation::Delete, "1") }, "delete takes no pipeline"),
        ];
        for (action, expected) in table {
            assert_eq!(lines(action, "{}").unwrap_err(), expected);
        }
        assert_eq!(lines(Action::default(), " \n").unwrap_err(), "a document is empty");
    }
}
