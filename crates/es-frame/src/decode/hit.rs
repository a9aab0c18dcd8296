//! One hit: its document, and what the search says of it.

use super::places::{PlaceId, Places, Target};
use super::scan::Scanner;
use super::stop::Stop;
use super::table::Table;
use super::text::unescape;

/// The metadata of a document in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    Id,
    Index,
    Score,
    SeqNo,
    Version,
    Routing,
    Ignored,
}

impl Metadata {
    pub(crate) const ALL: [Self; 7] =
        [Self::Id, Self::Index, Self::Score, Self::SeqNo, Self::Version, Self::Routing, Self::Ignored];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "_id",
            Self::Index => "_index",
            Self::Score => "_score",
            Self::SeqNo => "_seq_no",
            Self::Version => "_version",
            Self::Routing => "_routing",
            Self::Ignored => "_ignored",
        }
    }
}

// The members of a hit that are no metadata, by the numbers of their cells.
const SOURCE: usize = 7;
const FIELDS: usize = 8;
const SORT: usize = 9;

/// Reads hits into a table.
pub(crate) struct Hits<'b> {
    pub(crate) table: Table,
    /// The start of the members of `fields`; those of `_source` begin at the root.
    fields: PlaceId,
    members: Places,
    /// The cells of metadata that are columns.
    metadata: [Option<usize>; 7],
    /// Fields whose doc values may lack a value, and their cells.
    watched: Vec<(String, usize)>,
    /// The `sort` values of the last hit.
    pub(crate) last_sort: Option<&'b str>,
}

impl<'b> Hits<'b> {
    pub(crate) fn new(
        table: Table,
        fields: PlaceId,
        metadata: [Option<usize>; 7],
        watched: Vec<(String, usize)>,
    ) -> Self {
        let mut members = Places::new();
        for (place, kind) in Metadata::ALL.into_iter().enumerate() {
            members.lead_flat(Places::ROOT, kind.name(), place);
        }
        members.lead_flat(Places::ROOT, "_source", SOURCE);
        members.lead_flat(Places::ROOT, "fields", FIELDS);
        members.lead_flat(Places::ROOT, "sort", SORT);
        Self { table, fields, members, metadata, watched, last_sort: None }
    }

    /// Takes the list of hits.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'b>) -> Result<(), Stop> {
        if !scanner.enter(b'[', b']', "the list of hits is missing")? {
            return Ok(());
        }
        loop {
            self.read_hit(scanner)?;
            if !scanner.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    fn read_hit(&mut self, scanner: &mut Scanner<'b>) -> Result<(), Stop> {
        scanner.document = "";
        self.last_sort = None;
        if scanner.enter(b'{', b'}', "a hit is missing")? {
            let mut next = 0;
            loop {
                match self.members.take(Places::ROOT, &mut next, scanner)? {
                    (Target::Cell(SOURCE), _) => self.read_fields(Places::ROOT, scanner)?,
                    (Target::Cell(FIELDS), _) => self.read_fields(self.fields, scanner)?,
                    (Target::Cell(SORT), _) => self.last_sort = Some(scanner.raw()?),
                    (Target::Cell(member), _) => self.read_metadata(member, scanner)?,
                    _ => scanner.skip()?,
                }
                if !scanner.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.table.end_row(scanner)
    }

    #[inline(always)]
    fn read_fields(&mut self, place: PlaceId, scanner: &mut Scanner<'b>) -> Result<(), Stop> {
        self.table.read_object(place, scanner)
    }

    #[inline(always)]
    fn read_metadata(&mut self, member: usize, scanner: &mut Scanner<'b>) -> Result<(), Stop> {
        let start = scanner.at;
        if member == Metadata::Id as usize {
            if scanner.peek() != Some(b'"') {
                return Err(scanner.broken("the id of a hit is no text"));
            }
            scanner.document = scanner.quoted()?;
        } else if member == Metadata::Ignored as usize && !self.watched.is_empty() {
            self.read_ignored(scanner)?;
        } else if self.metadata[member].is_none() {
            return scanner.skip();
        }
        if let Some(cell) = self.metadata[member] {
            scanner.at = start;
            let row = self.table.rows();
            self.table.cells[cell].read(row, scanner.window(), scanner)?;
        }
        Ok(())
    }

    /// Takes the names of fields that have values which were not indexed.
    fn read_ignored(&mut self, scanner: &mut Scanner<'b>) -> Result<(), Stop> {
        let mut more = scanner.enter(b'[', b']', "the list of ignored fields is missing")?;
        while more {
            let raw = scanner.raw()?;
            let name = unescape(raw.trim_matches('"')).unwrap_or_default();
            for (field, cell) in &self.watched {
                if *field == name {
                    self.table.cells[*cell].ignored(scanner)?;
                }
            }
            more = scanner.goes_on(b']')?;
        }
        Ok(())
    }
}
