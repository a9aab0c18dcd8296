//! Reads a dead letter, or any other bulk body in a file, as batches.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::batch::{Batch, BatchBuilder, BatchLimits};
use crate::error::{Error, ErrorKind};
use crate::files::FilePlace;

/// Reads a bulk body from a file: an action line and a source line for each document, and for a
/// removal the action alone. Every line is checked; an index that an action names is left out,
/// as the documents go to the index of the load. The row of a document is the line of its action.
///
/// # Errors
/// [`ErrorKind::File`] when the file cannot be opened. While it is read, [`ErrorKind::Format`]
/// with the file and the line; then it ends.
pub fn replay(path: &Path, limits: BatchLimits) -> Result<Replay, Error> {
    let file = File::open(path).map_err(|source| {
        Error::of_file(ErrorKind::File, path, format!("{} cannot be opened: {source}", path.display()))
            .with_help("name the dead letter with its ending: NAME.ndjson")
            .with_source(source)
    })?;
    let mut builder = BatchBuilder::new(limits);
    builder.source(path.display().to_string().into(), FilePlace::default());
    let (action, source) = (Vec::new(), Vec::new());
    Ok(Replay {
        path: path.to_owned(),
        lines: BufReader::new(file),
        line: 0,
        builder,
        action,
        source,
        failed: None,
        ended: false,
    })
}

/// The batches of a bulk body in a file; see [`replay`].
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    lines: BufReader<File>,
    /// The number of lines that were read.
    line: u64,
    builder: BatchBuilder,
    action: Vec<u8>,
    source: Vec<u8>,
    /// An error that follows the batch of what came before it.
    failed: Option<Error>,
    ended: bool,
}

impl Iterator for Replay {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.next_document() {
                Ok(Some(None)) => {}
                Ok(Some(Some(batch))) => return Some(Ok(batch)),
                Ok(None) => {
                    self.ended = true;
                    return self.builder.finish().map(Ok);
                }
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                    if let Some(batch) = self.builder.finish() {
                        return Some(Ok(batch));
                    }
                }
            }
        }
        self.failed.take().map(Err)
    }
}

impl Replay {
    /// Reads a document, unless the file is at its end, and returns the batch that became full.
    fn next_document(&mut self) -> Result<Option<Option<Batch>>, Error> {
        let mut action = std::mem::take(&mut self.action);
        let is_there = self.next_line(&mut action)?;
        if !is_there {
            return Ok(None);
        }
        let row = self.line;
        let (has_source, has_id) = self.check_action(&mut action)?;
        let mut source = std::mem::take(&mut self.source);
        source.clear();
        if has_source {
            if !self.next_line(&mut source)? {
                return Err(self.wrong(row, "is the action of a document whose source line is missing"));
            }
            if !source.starts_with(b"{") || serde_json::from_slice::<IgnoredAny>(&source).is_err() {
                return Err(self.wrong(self.line, "is not a JSON object and should be the source of a document"));
            }
        }
        self.builder.at_row(row);
        let full = self.builder.push_lines(has_id, &action, &source)?;
        (self.action, self.source) = (action, source);
        Ok(Some(full))
    }

    /// Reads the next line that is not blank, with a line break at its end.
    fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        loop {
            line.clear();
            let read = self.lines.read_until(b'\n', line).map_err(|source| {
                let message = format!("{} cannot be read: {source}", self.path.display());
                Error::of_file(ErrorKind::File, &self.path, message).with_source(source)
            })?;
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                line.truncate(line.trim_ascii_end().len());
                line.drain(..line.len() - line.trim_ascii_start().len());
                line.push(b'\n');
                return Ok(true);
            }
        }
    }

    /// Checks an action; tells whether a source follows it, and whether it names an id.
    fn check_action(&self, action: &mut Vec<u8>) -> Result<(bool, bool), Error> {
        let wrong = || {
            self.wrong(self.line, "is not an action: it must be an object of index, create, update or delete alone")
                .with_help("a bulk body has an action line before the line of each document")
        };
        let mut parsed: Map<String, Value> = serde_json::from_slice(action).map_err(|_| wrong())?;
        let mut pairs = parsed.iter_mut();
        let (Some((name, Value::Object(fields))), None) = (pairs.next(), pairs.next()) else { return Err(wrong()) };
        let has_source = match name.as_str() {
            "index" | "create" | "update" => true,
            "delete" => false,
            _ => return Err(wrong()),
        };
        let has_id = matches!(fields.get("_id"), Some(Value::String(_) | Value::Number(_)));
        if !has_id && matches!(name.as_str(), "update" | "delete") {
            return Err(self.wrong(self.line, "is an action that needs an `_id`"));
        }
        if fields.shift_remove("_index").is_some() {
            *action = serde_json::to_vec(&parsed).map_err(|_| wrong())?;
            action.push(b'\n');
        }
        Ok((has_source, has_id))
    }

    fn wrong(&self, line: u64, what: &str) -> Error {
        Error::of_file(ErrorKind::Format, &self.path, format!("{}, line {line}: {what}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Batch>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ndjson");
        std::fs::write(&path, text).unwrap();
        let limits = BatchLimits { documents: 2, ..BatchLimits::default() };
        let mut batches = Vec::new();
        for batch in replay(&path, limits).unwrap() {
            match batch {
                Ok(batch) => batches.push(batch),
                Err(error) => {
                    assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(path.as_path())));
                    return (batches, Some(error.to_string().replace(&path.display().to_string(), "X")));
                }
            }
        }
        (batches, None)
    }

    #[test]
    fn a_bulk_body_comes_back_as_it_was() {
        let text = "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1.50}\n\n{\"delete\":{\"_id\":2}}\r\n\
                    {\"update\":{\"_id\":\"3\",\"routing\":\"r\"}}\n{\"doc\":{\"a\":1}}\n{\"create\":{}}\n{}";
        let (batches, error) = read(text);
        assert_eq!((batches.len(), error), (2, None));
        let all = [batches[0].body().as_ref(), batches[1].body()].concat();
        let expected = text.replace("\n\n", "\n").replace('\r', "") + "\n";
        assert_eq!(String::from_utf8(all).unwrap(), expected);
        let rows: Vec<u64> = (0..2).flat_map(|n| [0, 1].map(|at| batches[n].origin(at).unwrap().row)).collect();
        assert_eq!(rows, [1, 4, 5, 7]);
        assert_eq!((batches[0].has_ids(), batches[1].has_ids()), (true, false));
        assert_eq!((batches[0].lines(1), batches[1].number(1)), (&b"{\"delete\":{\"_id\":2}}\n"[..], 3));
    }

    #[test]
    fn an_index_in_an_action_is_left_out() {
        let (batches, _) = read("{\"index\":{\"_index\":\"other\",\"_id\":\"1\",\"pipeline\":\"p\"}}\n{}\n");
        assert_eq!(batches[0].action(0), br#"{"index":{"_id":"1","pipeline":"p"}}"#);
    }

    #[test]
    fn errors_name_their_line() {
        let good = "{\"index\":{}}\n{}\n{\"delete\":{\"_id\":1}}\n{\"index\":{}}\n{}\n";
        let not_action = "is not an action: it must be an object of index, create, update or delete alone";
        // One batch is full, the other one is what comes before the error.
        let table = [
            ("{\"a\":1}\n", not_action, 6),
            ("nonsense\n", not_action, 6),
            ("[]\n", not_action, 6),
            ("{\"index\":1}\n", not_action, 6),
            ("{\"index\":{},\"delete\":{}}\n", not_action, 6),
            ("\n{\"index\":{}}\n", "is the action of a document whose source line is missing", 7),
            ("{\"index\":{}}\n[1]\n", "is not a JSON object and should be the source of a document", 7),
            ("{\"index\":{}}\n{\"a\":\n", "is not a JSON object and should be the source of a document", 7),
            ("{\"delete\":{}}\n", "is an action that needs an `_id`", 6),
        ];
        for (text, what, line) in table {
            let (batches, error) = read(&format!("{good}{text}"));
            assert_eq!(error.unwrap(), format!("X, line {line}: {what}"));
            assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [2, 1]);
        }
        assert_eq!(replay(Path::new("/not/there"), BatchLimits::default()).unwrap_err().kind(), ErrorKind::File);
        assert!(read("").0.is_empty() && read("\n\n").0.is_empty());
    }
}
