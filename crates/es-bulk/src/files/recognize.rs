//! The beginning of JSON lines: that they are documents, and of the format that they are read as.

use std::path::Path;

use super::bulk_lines::begins_bulk;
use super::format::FileFormat;
use super::json_fields::fields_of;
use super::lines::lines;
use super::raw_chunk::{RawChunk, RawText};
use super::read_error::{ReadError, not_of_format};
use super::roles::SOURCE;
use crate::error::{Error, ErrorKind, Remedy};

/// The beginning of a text, with a line that is not blank in it.
pub(crate) fn first_with_lines(text: &mut RawText) -> Result<RawChunk, ReadError> {
    let mut first = RawChunk::default();
    while let Some(chunk) = text.next()? {
        first.extend(chunk);
        if lines(&first.text).next().is_some() {
            return Ok(first);
        }
    }
    Err(match first.refused.first() {
        Some(refused) => ReadError::content(format!("line {}: {}", refused.row, refused.reason)),
        None => ReadError::content("it holds no document"),
    })
}

/// Checks that any line of a beginning is a JSON object: if none is, the file is something else. So it is
/// if the first lines are those of another format.
pub(crate) fn check_beginning(path: &Path, format: FileFormat, first: &RawChunk) -> Result<(), Error> {
    let wanted = if format.has_metadata() { vec![SOURCE.to_owned()] } else { Vec::new() };
    let mut reason = None;
    let mut is_document = |line: &[u8]| match fields_of(line, &wanted) {
        Ok(found) if format != FileFormat::Elasticdump || found[0].is_some() => true,
        Ok(_) => {
            reason.get_or_insert("it has no _source".to_owned());
            false
        }
        Err(why) => {
            reason.get_or_insert(why);
            false
        }
    };
    if !lines(&first.text).any(|line| is_document(line.text)) {
        let reason = reason.unwrap_or_default();
        let what = if format == FileFormat::Json { "values" } else { "lines" };
        let error = ReadError::content(format!("none of its first {what} is a JSON object ({reason})"));
        let error = if format.has_metadata() { ReadError::content(reason) } else { error };
        return Err(not_of_format(path, format, error));
    }
    match other_format(format, first) {
        Some(other) => {
            let message = format!("{} is {}, and would be read as {}", path.display(), what(other), format.title());
            Err(Error::of_file(ErrorKind::Format, path, message)
                .with_help(format!("read it with the format {other}"))
                .with_remedy(Remedy::Format(other)))
        }
        None => Ok(()),
    }
}

fn what(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Bulk => "a bulk body, whose lines are actions and documents",
        FileFormat::Elasticdump => "output of elasticdump, with the documents in `_source`",
        _ => "another format",
    }
}

/// The format of lines that are documents of none as they stand.
fn other_format(format: FileFormat, first: &RawChunk) -> Option<FileFormat> {
    if format.has_metadata() {
        return None;
    }
    let mut lines = lines(&first.text);
    let one = lines.next()?;
    if format == FileFormat::Ndjson && begins_bulk(one.text, lines.next().map(|line| line.text)) {
        return Some(FileFormat::Bulk);
    }
    let wanted = ["_index", "_id", SOURCE].map(str::to_owned);
    let found = fields_of(one.text, &wanted).ok()?;
    let is_hit = found.iter().all(Option::is_some) && found[2].is_some_and(|source| source.starts_with('{'));
    is_hit.then_some(FileFormat::Elasticdump)
}
