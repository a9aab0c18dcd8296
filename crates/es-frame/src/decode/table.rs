//! Rows of cells, and the documents that fill them: those of a page, and the objects of a
//! nested field, which are rows of a table of their own.

use polars::prelude::ArrowDataType;
use polars_arrow::array::{Array, StructArray};

use super::builder::Validity;
use super::cells::Cell;
use super::places::{PlaceId, Places, Target};
use super::scan::{DEEPEST, Scanner};
use super::shape::Member;
use super::stop::Stop;
use crate::error::Error;

pub(crate) struct Table {
    pub(crate) places: Places,
    pub(crate) cells: Vec<Cell>,
    /// Cells for which the end of each row counts.
    ends: Vec<usize>,
    rows: usize,
    validity: Validity,
}

impl Table {
    pub(crate) fn new(mut places: Places, cells: Vec<Cell>) -> Self {
        for (number, cell) in cells.iter().enumerate() {
            if cell.holds_objects() {
                places.holds_objects(number);
            }
        }
        let ends = (0..cells.len()).filter(|cell| cells[*cell].minds_ends()).collect();
        Self { places, cells, ends, rows: 0, validity: Validity::default() }
    }

    /// A table of the members of an object.
    pub(crate) fn of_members(members: &[Member]) -> Self {
        let mut places = Places::new();
        for (cell, member) in members.iter().enumerate() {
            places.lead(Places::ROOT, &member.name, cell);
        }
        Self::new(places, members.iter().map(Cell::of_member).collect())
    }

    /// The number of rows that have ended.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.rows, nulls);
        self.rows += nulls;
    }

    /// Takes an object as a row.
    pub(crate) fn read_row(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        self.read_object(Places::ROOT, scanner)?;
        self.end_row(scanner)
    }

    /// Ends the row that values were read into.
    #[inline]
    pub(crate) fn end_row(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        for cell in &self.ends {
            self.cells[*cell].end_row(self.rows, scanner)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes an object whose members lead to cells of the present row.
    pub(crate) fn read_object(&mut self, place: PlaceId, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        if !scanner.enter(b'{', b'}', "an object is missing")? {
            return Ok(());
        }
        let mut next = 0;
        loop {
            match self.places.take(place, &mut next, scanner)? {
                (Target::Cell(cell), window) => self.cells[cell].read(self.rows, window, scanner)?,
                (target, _) => self.read_other(target, scanner)?,
            }
            if !scanner.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    #[inline(never)]
    fn read_other(&mut self, target: Target, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        match target {
            Target::Skip => scanner.skip(),
            Target::Cell(cell) => self.cells[cell].read(self.rows, scanner.window(), scanner),
            Target::Place(place) => self.read_objects(place, scanner, 0),
            Target::Inside(number) => {
                let (cell, path) = self.places.inside(number);
                self.cells[cell].read_inside(self.rows, &path, scanner)
            }
            Target::Several(_) => {
                let targets = self.places.all(&target).to_vec();
                scanner.peek();
                let start = scanner.at;
                for target in targets {
                    scanner.at = start;
                    match target {
                        // A text and its sub-fields: the value may be that of the text.
                        Target::Place(_) if !matches!(scanner.peek(), Some(b'{' | b'[')) => scanner.skip()?,
                        other => self.read_other(other, scanner)?,
                    }
                }
                Ok(())
            }
        }
    }

    /// Takes the value of a member of the present row, by its path.
    pub(crate) fn read_member(&mut self, path: &str, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        let target = self.places.target(Places::ROOT, path);
        self.read_other(target, scanner)
    }

    /// Takes an object, or any number of them in arrays: all their values are the row's.
    fn read_objects(&mut self, place: PlaceId, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), Stop> {
        match scanner.peek() {
            Some(b'{') => self.read_object(place, scanner),
            Some(b'[') => {
                if depth > DEEPEST {
                    return Err(scanner.too_deep());
                }
                if !scanner.enter(b'[', b']', "an array is missing")? {
                    return Ok(());
                }
                loop {
                    self.read_objects(place, scanner, depth + 1)?;
                    if !scanner.goes_on(b']')? {
                        return Ok(());
                    }
                }
            }
            // A null has no members; what else is there instead of an object is not indexed.
            _ => scanner.skip(),
        }
    }

    /// The columns as arrays, each of all rows.
    pub(crate) fn finish(self) -> Result<Vec<Box<dyn Array>>, Error> {
        self.cells.into_iter().map(|cell| cell.finish(self.rows)).collect()
    }

    /// The columns as one of structs.
    pub(crate) fn finish_struct(mut self, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let validity = std::mem::take(&mut self.validity);
        let rows = self.rows;
        Ok(StructArray::try_new(dtype, rows, self.finish()?, validity.finish(rows))?.boxed())
    }
}
