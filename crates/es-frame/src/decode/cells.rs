//! The cells of one column: which values of a document they hold, and what is done with those
//! that do not fit.

use polars::prelude::{ArrowDataType, CompatLevel};
use polars_arrow::array::{Array, ListArray};
use polars_arrow::offset::OffsetsBuffer;

use super::builder::{Builder, Validity};
use super::options::{Malformed, Missing, Policy, Values};
use super::places::Places;
use super::scan::{DEEPEST, Scanner};
use super::shape::{Member, Shape, is_list, listed};
use super::stop::{Stop, Trouble};
use super::text::unescape;
use super::window::Window;
use crate::error::{Error, ErrorKind};

/// Characters of a value that a message shows.
const SHOWN: usize = 100;

pub(crate) struct Cell {
    name: String,
    field_type: String,
    shape: Shape,
    policy: Policy,
    builder: Builder,
    /// The number of values in the builder of a plain cell, at hand without asking what it is.
    filled: usize,
    list: Option<Lists>,
    /// The start of the last value of the row, if that is the one to take.
    last: Option<usize>,
    /// True if every value that fits is taken as it comes.
    is_plain: bool,
    /// True if an object of the row is put together from members with dots in their names.
    is_partial: bool,
}

/// Which values of the builder belong to which row.
struct Lists {
    /// The end of the list of each finished row, after a zero.
    offsets: Vec<i64>,
    validity: Validity,
    /// True if the row after those has values.
    is_open: bool,
}

impl Cell {
    pub(crate) fn new(name: &str, field_type: &str, shape: Shape, policy: Policy, rows: usize) -> Self {
        let list = is_list(&shape, policy, field_type);
        let builder = Builder::new(&shape, rows);
        Self {
            name: name.to_owned(),
            field_type: field_type.to_owned(),
            is_plain: !list && policy.values != Values::Last && !shape.is_whole(),
            list: list.then(|| Lists { offsets: vec![0], validity: Validity::default(), is_open: false }),
            builder,
            filled: 0,
            shape,
            policy,
            last: None,
            is_partial: false,
        }
    }

    pub(crate) fn of_member(member: &Member) -> Self {
        Self::new(&member.path, &member.field_type, member.shape.clone(), member.policy, 0)
    }

    /// True if the end of each row has to be told.
    pub(crate) fn minds_ends(&self) -> bool {
        self.policy.missing == Missing::Error
            || self.policy.values == Values::Last
            || matches!(self.shape, Shape::Struct(_))
    }

    /// True if values may be objects, so that names with dots lead into them.
    pub(crate) fn holds_objects(&self) -> bool {
        use Shape::{Join, Json, Point, Range, Struct, TextOrJson};
        matches!(self.shape, Struct(_) | Json | TextOrJson | Point | Range(_) | Join)
    }

    /// Takes the value of a member, for a row. It begins with the window, if there is one.
    #[inline(always)]
    pub(crate) fn read<'b>(
        &mut self,
        row: usize,
        window: Option<Window<'b>>,
        scanner: &mut Scanner<'b>,
    ) -> Result<(), Stop> {
        if self.is_plain && (self.filled == row || (self.filled < row && self.skip_to(row))) {
            // One value as it mostly is, which doc values have in an array.
            let in_array = window.is_some_and(|window| window.byte(0) == b'[');
            scanner.at += usize::from(in_array);
            let window = if in_array { scanner.window() } else { window };
            if let Some(window) = window
                && self.builder.try_read(&self.shape, window, scanner)
            {
                self.filled = row + 1;
                if !in_array {
                    return Ok(());
                }
                if scanner.byte() == Some(b']') {
                    scanner.at += 1;
                    return Ok(());
                }
                return self.read_rest(row, scanner, 0);
            }
            scanner.at -= usize::from(in_array);
        }
        let read = self.read_any(row, scanner, 0);
        self.filled = self.builder.len();
        read
    }

    /// Fills rows that had no value. Always true.
    #[inline(never)]
    fn skip_to(&mut self, row: usize) -> bool {
        self.builder.push_nulls(row - self.filled);
        self.filled = row;
        true
    }

    /// Takes what follows a value in an array, to its end.
    #[inline(never)]
    fn read_rest(&mut self, row: usize, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), Stop> {
        while scanner.goes_on(b']')? {
            self.read_any(row, scanner, depth + 1)?;
        }
        Ok(())
    }

    /// Takes a value of any form.
    #[inline(never)]
    fn read_any(&mut self, row: usize, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), Stop> {
        match scanner.peek() {
            Some(b'n') if !(depth > 0 && self.shape.takes_null()) && scanner.try_null() => {
                if depth > 0 {
                    self.add_null(row);
                }
                Ok(())
            }
            Some(b'"') if self.shape.is_number() && scanner.try_empty_text() => {
                if depth > 0 {
                    self.add_null(row);
                }
                Ok(())
            }
            Some(b'[') if !self.shape.is_whole() && !self.is_point(scanner) => {
                if depth > DEEPEST {
                    return Err(scanner.too_deep());
                }
                self.begin(row);
                if !scanner.enter(b'[', b']', "an array is missing")? {
                    return Ok(());
                }
                self.read_any(row, scanner, depth + 1)?;
                self.read_rest(row, scanner, depth)
            }
            _ => self.read_one(row, scanner),
        }
    }

    /// True if an array is a point: longitude and latitude.
    fn is_point(&self, scanner: &Scanner<'_>) -> bool {
        let rest = scanner.bytes.get(scanner.at + 1..).unwrap_or_default();
        let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!(self.shape, Shape::Point) && first.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
    }

    /// Takes the value of a member of an object that is written as `object.member`.
    pub(crate) fn read_inside(&mut self, row: usize, path: &str, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        self.begin(row);
        if !self.is_partial && self.list.is_none() && self.builder.len() > row {
            return Err(self.several(scanner).into());
        }
        let Some(table) = self.builder.as_table() else {
            let what = format!("is written as {}.{path}, which is not put together here", self.name);
            let error = self.refused(scanner, &what);
            return Err(error.with_help("leave the column out, or write it as one object").into());
        };
        self.is_partial = true;
        table.read_member(path, scanner)
    }

    /// Takes one value by the column's policy.
    fn read_one(&mut self, row: usize, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        self.begin(row);
        let first = scanner.peek();
        let start = scanner.at;
        if self.is_partial
            && first == Some(b'{')
            && let Some(table) = self.builder.as_table()
        {
            return table.read_object(Places::ROOT, scanner);
        }
        if self.list.is_none() {
            if self.policy.values == Values::Last {
                self.last = Some(start);
                return scanner.skip();
            }
            if self.builder.len() > row {
                if self.policy.values == Values::First {
                    return scanner.skip();
                }
                return Err(self.several(scanner).into());
            }
        }
        self.append(start, scanner)
    }

    /// Appends the value that begins at a position.
    fn append(&mut self, start: usize, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        if let Some(window) = scanner.window()
            && self.builder.try_read(&self.shape, window, scanner)
        {
            return Ok(());
        }
        match self.builder.read(&self.shape, scanner) {
            Ok(()) => Ok(()),
            Err(Trouble::Stop(stop)) => Err(stop),
            Err(Trouble::Misfit) => {
                scanner.at = start;
                let raw = scanner.raw()?;
                if self.policy.malformed == Malformed::Error {
                    return Err(self.misfit(scanner, raw).into());
                }
                if self.list.is_some() {
                    self.builder.push_nulls(1);
                }
                Ok(())
            }
        }
    }

    /// Makes the builder stand at a row.
    fn begin(&mut self, row: usize) {
        match &mut self.list {
            None => {
                let length = self.builder.len();
                if length < row {
                    self.builder.push_nulls(row - length);
                    self.filled = row;
                }
            }
            Some(lists) => lists.begin(row, self.builder.len()),
        }
    }

    /// A null among several values keeps its place in a list and is nothing otherwise.
    fn add_null(&mut self, row: usize) {
        self.begin(row);
        if self.list.is_some() {
            self.builder.push_nulls(1);
        }
    }

    /// Settles at the end of a row what only the end decides.
    pub(crate) fn end_row(&mut self, row: usize, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        if self.is_partial
            && let Some(table) = self.builder.as_table()
        {
            table.end_row(scanner)?;
            self.is_partial = false;
            self.filled = self.builder.len();
        }
        if let Some(start) = self.last.take() {
            let end = std::mem::replace(&mut scanner.at, start);
            let appended = self.append(start, scanner);
            scanner.at = end;
            appended?;
        }
        let is_missing = match &self.list {
            None => self.builder.len() <= row,
            Some(lists) => lists.is_empty(row, self.builder.len()),
        };
        if is_missing && self.policy.missing == Missing::Error {
            return Err(self.missing(scanner).into());
        }
        Ok(())
    }

    /// A document has a value of the field that doc values do not have.
    pub(crate) fn ignored(&mut self, scanner: &Scanner<'_>) -> Result<(), Stop> {
        if self.policy.malformed == Malformed::Null {
            return Ok(());
        }
        let error = self.refused(scanner, "holds a value that doc values leave out");
        Err(error.with_help("read the column from `_source` (`FieldSource::Source`), or read such values as nulls (`Malformed::Null`)").into())
    }

    #[cold]
    fn misfit(&self, scanner: &Scanner<'_>, raw: &str) -> Error {
        let what = match raw.as_bytes().first() {
            Some(b'{') => "holds an object".to_owned(),
            _ => format!("holds {}, which is no {}", shown(raw), self.field_type),
        };
        self.refused(scanner, &what).with_help(format!(
            "read malformed values of the column as nulls (`Malformed::Null` in the policy of {}), leave the column \
                 out, or correct the document",
            self.name
        ))
    }

    #[cold]
    fn refused(&self, scanner: &Scanner<'_>, what: &str) -> Error {
        let document = match unescape(scanner.document) {
            Some(id) if !id.is_empty() => format!("document {id}"),
            _ => "a document".to_owned(),
        };
        Error::new(ErrorKind::Value, format!("field {} of {document} {what}", self.name))
    }

    #[cold]
    fn several(&self, scanner: &Scanner<'_>) -> Error {
        self.refused(scanner, "holds more than one value").with_help(format!(
            "read the column as lists, or take its first or last value: `values: list`, `first` or `last`, on the \
             command line `--values {}=list`",
            self.name
        ))
    }

    #[cold]
    fn missing(&self, scanner: &Scanner<'_>) -> Error {
        self.refused(scanner, "has no value").with_help(format!(
            "take what is missing for null, `missing: \"null\"`, on the command line `--missing {}=null`, or leave \
             such documents out by the query",
            self.name
        ))
    }

    /// All rows as an array.
    pub(crate) fn finish(mut self, rows: usize) -> Result<Box<dyn Array>, Error> {
        let Some(mut lists) = self.list else {
            let length = self.builder.len();
            if length < rows {
                self.builder.push_nulls(rows - length);
            }
            return self.builder.finish(&self.shape);
        };
        lists.begin(rows, self.builder.len());
        let dtype = listed(&self.shape, self.policy, &self.field_type).to_arrow(CompatLevel::newest());
        lists.finish(dtype, rows, self.builder.finish(&self.shape)?)
    }
}

impl Lists {
    /// Opens the list of a row. Rows before it that have none are null.
    fn begin(&mut self, row: usize, values: usize) {
        let mut ended = self.offsets.len() - 1;
        if self.is_open && ended < row {
            self.offsets.push(values as i64);
            ended += 1;
            self.is_open = false;
        }
        if ended < row {
            self.validity.push_nulls(ended, row - ended);
            self.offsets.resize(row + 1, values as i64);
        }
        self.is_open = true;
    }

    fn is_empty(&self, row: usize, values: usize) -> bool {
        let is_open = self.is_open && self.offsets.len() == row + 1;
        !is_open || self.offsets.last() == Some(&(values as i64))
    }

    fn finish(self, dtype: ArrowDataType, rows: usize, values: Box<dyn Array>) -> Result<Box<dyn Array>, Error> {
        debug_assert_eq!(self.offsets.len(), rows + 1);
        let offsets = OffsetsBuffer::try_from(self.offsets)?;
        Ok(ListArray::<i64>::try_new(dtype, offsets, values, self.validity.finish(rows))?.boxed())
    }
}

/// The beginning of a value for a message.
fn shown(raw: &str) -> String {
    match raw.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &raw[..end]),
        None => raw.to_owned(),
    }
}
