//! The action line of a bulk request, which stands before each document.

use polars::prelude::{DataFrame, DataType};

use super::cells::{Cells, Style};
use super::line::Line;
use super::members::Key;
use super::options::{Operation, WriterOptions};
use super::plain::IdColumns;
use super::writer_column;
use crate::error::{Error, ErrorKind};

/// The metadata of each document.
pub(crate) struct Actions<'a> {
    pub(crate) id: IdColumns<'a>,
    operation: Operation,
    operations: Option<Named<'a>>,
    routing: Option<Named<'a>>,
    pipeline: Option<Named<'a>>,
    version: Option<Named<'a>>,
    keys: Keys,
}

/// A column and its name.
type Named<'a> = (String, Cells<'a>);

struct Keys {
    id: Key,
    routing: Key,
    pipeline: Key,
    version: Key,
}

impl<'a> Actions<'a> {
    pub(crate) fn new(frame: &'a DataFrame, options: &WriterOptions, style: Style) -> Result<Self, Error> {
        let id =
            options.id.iter().map(|name| Ok((name.clone(), Cells::new(writer_column(frame, name, "id")?, style)?)));
        let id = id.collect::<Result<_, Error>>()?;
        let named = |name: &Option<String>, role: &str, fits: fn(&DataType) -> bool, wanted: &str| {
            let Some(name) = name else { return Ok(None) };
            let column = writer_column(frame, name, role)?;
            if !fits(column.dtype()) {
                return Err(Error::new(
                    ErrorKind::UnsupportedType,
                    format!("the {role} column {name} has the type {}, and must be {wanted}", column.dtype()),
                ));
            }
            Ok(Some((name.clone(), Cells::new(column, style)?)))
        };
        let actions = Self {
            id: IdColumns { is_plain: options.id == ["_id"], columns: id },
            operation: options.operation,
            operations: named(&options.operation_column, "operation", is_text, "text")?,
            routing: named(&options.routing, "routing", is_scalar, "text or numbers")?,
            pipeline: named(&options.pipeline, "pipeline", is_text, "text")?,
            version: named(&options.version, "version", is_integer, "integers")?,
            keys: Keys {
                id: Key::new("_id"),
                routing: Key::new("routing"),
                pipeline: Key::new("pipeline"),
                version: Key::new("version"),
            },
        };
        if actions.version.is_some() && !actions.has_ids() {
            return Err(Error::new(ErrorKind::Row, "documents without ids cannot have versions")
                .with_help("name the id columns"));
        }
        if actions.operations.is_none() {
            actions.check(options.operation, None)?;
        }
        Ok(actions)
    }

    pub(crate) fn has_ids(&self) -> bool {
        !self.id.columns.is_empty()
    }

    /// About how many bytes the line takes.
    pub(crate) fn typical_size(&self) -> usize {
        let ids = self.id.columns.iter().map(|(_, cells)| cells.typical_size()).sum::<usize>();
        96 + ids + if self.version.is_some() { 64 } else { 0 }
    }

    /// Refuses what Elasticsearch refuses a whole request for. The row is that of an operation
    /// that a column says.
    fn check(&self, operation: Operation, row: Option<usize>) -> Result<(), Error> {
        let name = operation.as_str();
        let refused = |what: &str, help: &str| {
            let error = Error::new(ErrorKind::Row, format!("the operation {name} {what}")).with_help(help);
            Err(match row {
                Some(row) => error.with_row(row),
                None => error,
            })
        };
        if operation.needs_id() && !self.has_ids() {
            return refused("needs an id", "name the id columns");
        }
        if self.version.is_some() && !operation.takes_version() {
            return refused("takes no version", "leave the version out, or use index and delete");
        }
        // A pipeline for a document that is deleted is not needed; one for an update would be missed.
        if self.pipeline.is_some() && !operation.takes_pipeline() && operation != Operation::Delete {
            return refused("takes no pipeline", "leave the pipeline out, or use index or create");
        }
        Ok(())
    }

    /// Appends the action line of a row, with its line break, and says what it was.
    #[inline]
    pub(crate) fn write(&self, row: usize, line: &mut Line<'_>) -> Result<Operation, Error> {
        let operation = match &self.operations {
            None => self.operation,
            Some(column) => self.operation_of(column, row)?,
        };
        line.put_prefix(head(operation).0, head(operation).1);
        let start = line.at();
        if self.has_ids() {
            self.keys.id.write(line);
            self.id.write(row, line)?;
        }
        if let Some((_, cells)) = &self.routing {
            write_text(&self.keys.routing, cells, row, line);
        }
        if let Some((_, cells)) = self.pipeline.as_ref().filter(|_| operation.takes_pipeline()) {
            write_text(&self.keys.pipeline, cells, row, line);
        }
        if let Some(column) = &self.version {
            self.write_version(column, row, line)?;
        }
        if line.at() == start {
            line.put(b'{');
        } else {
            // The comma before the first key.
            line.set(start, b'{');
        }
        line.put_prefix(b"}}\n\0", 3);
        Ok(operation)
    }

    fn operation_of(&self, (name, cells): &Named<'_>, row: usize) -> Result<Operation, Error> {
        let text = cells.text(row);
        let Some(operation) = text.and_then(Operation::from_name) else {
            let found = text.map_or_else(|| "no value".to_owned(), |text| format!("{text:?}"));
            let known = Operation::ALL.map(Operation::as_str).join(", ");
            return Err(Error::new(ErrorKind::Row, format!("column {name} holds {found}, which is not an operation"))
                .with_row(row)
                .with_help(format!("the operations are {known}")));
        };
        self.check(operation, Some(row))?;
        Ok(operation)
    }

    fn write_version(&self, (name, cells): &Named<'_>, row: usize, line: &mut Line<'_>) -> Result<(), Error> {
        let found = cells.integer(row);
        // Versions are the integers from 0 that a Java `long` holds.
        let Some(version) = found.and_then(|number| i64::try_from(number).ok()).filter(|number| *number >= 0) else {
            let found = found.map_or_else(|| "no value".to_owned(), |number| number.to_string());
            return Err(Error::new(ErrorKind::Row, format!("column {name} holds {found}, which is not a version"))
                .with_row(row)
                .with_help("versions are integers of at least 0, and every row needs one"));
        };
        self.keys.version.write(line);
        super::value::signed(version, line);
        line.put_bytes(b",\"version_type\":\"external_gte\"");
        Ok(())
    }
}

/// Appends a text, if the row has one.
fn write_text(key: &Key, cells: &Cells<'_>, row: usize, line: &mut Line<'_>) {
    let before = line.at();
    key.write(line);
    line.put(b'"');
    if cells.write_plain_string(row, line) {
        line.put(b'"');
    } else {
        line.rewind(before);
    }
}

/// The beginning of an action line, and the number of its bytes that count.
fn head(operation: Operation) -> (&'static [u8; 16], usize) {
    match operation {
        Operation::Index => (b"{\"index\":\0\0\0\0\0\0\0", 9),
        Operation::Create => (b"{\"create\":\0\0\0\0\0\0", 10),
        Operation::Update | Operation::Upsert => (b"{\"update\":\0\0\0\0\0\0", 10),
        Operation::Delete => (b"{\"delete\":\0\0\0\0\0\0", 10),
    }
}

fn is_text(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Categorical(..) | DataType::Enum(..))
}

fn is_integer(dtype: &DataType) -> bool {
    dtype.is_integer() && !matches!(dtype, DataType::Int128 | DataType::UInt128)
}

fn is_scalar(dtype: &DataType) -> bool {
    !dtype.is_nested()
}
