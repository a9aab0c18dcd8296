//! One pass over the files of a source, for one stream of batches or several.

use std::sync::Arc;

use super::block::{Block, Reader};
use super::division::PartOfRow;
use super::document_reader::{DocumentReader, PartRequest, in_file, label};
use super::encoder::{Encoder, refuse};
use super::place::FilePlace;
use super::scan::Span;
use super::stream::BatchOutput;
use crate::batch::BatchBuilder;
use crate::error::Error;

/// A stream of batches that is being filled.
pub(crate) struct Output {
    batches: BatchOutput,
    builder: BatchBuilder,
    request: PartRequest,
}

/// A pass over all files.
pub(crate) struct Pass<'a> {
    reader: &'a DocumentReader,
    outputs: Vec<Output>,
}

/// The range of a file that is read for one output.
#[derive(Clone, Copy)]
struct Wanted {
    from: FilePlace,
    /// Rows up to this number are settled.
    settled: u64,
    /// The number of the last row, where it is known.
    last: Option<u64>,
}

impl Output {
    pub(crate) fn new(reader: &DocumentReader, batches: BatchOutput, request: PartRequest) -> Self {
        let builder = BatchBuilder::new(reader.limits).numbered_from(request.from.documents);
        Self { batches, builder, request }
    }

    /// The range of a file that is read; `None` where it has no rows for the output or they are all settled.
    /// `settled` is the number of the file that the checkpoint is in.
    fn wants(&self, number: usize, settled: Option<usize>) -> Option<Wanted> {
        if settled.is_some_and(|settled| number < settled) {
            return None;
        }
        let span = match &self.request.spans {
            Some(spans) => Some(spans.of_file(number)?),
            None => None,
        };
        // What is settled of a file lies behind the beginning of its rows.
        let (from, row) = match self.request.from.checkpoint.as_ref().filter(|_| settled == Some(number)) {
            Some(checkpoint) => (checkpoint.place, checkpoint.row),
            None => (span.map_or(FilePlace::default(), |span: Span| span.from), 0),
        };
        Some(Wanted { from, settled: row, last: span.map(|span| span.last) })
    }
}

impl<'a> Pass<'a> {
    pub(crate) fn new(reader: &'a DocumentReader, outputs: Vec<Output>) -> Self {
        Self { reader, outputs }
    }

    /// Reads until all files are at their end, or nothing more is wanted.
    ///
    /// # Errors
    /// When a file is damaged, or a row cannot become a document.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let source = self.reader.source.clone();
        if source.paths().is_empty() {
            self.read_once()?;
        }
        for (number, path) in source.paths().iter().enumerate() {
            let wanted = self.wanted(number);
            let Some(begin) = wanted.iter().flatten().map(|wanted| wanted.from).min_by_key(|from| from.rows) else {
                continue;
            };
            let mut reader = Reader::open(path, &self.reader.load_options())?;
            if begin != FilePlace::default() {
                reader.seek(begin)?;
            }
            self.read_file(&label(path), &mut reader, &wanted)?;
        }
        for output in &mut self.outputs {
            if let Some(last) = output.builder.finish() {
                output.batches.send(last);
            }
        }
        Ok(())
    }

    /// The range of a file that is read for each output.
    fn wanted(&self, number: usize) -> Vec<Option<Wanted>> {
        let paths = self.reader.source.paths();
        let settled = |output: &Output| {
            let checkpoint = output.request.from.checkpoint.as_ref()?;
            paths.iter().position(|path| label(path) == checkpoint.file)
        };
        self.outputs.iter().map(|output| output.wants(number, settled(output))).collect()
    }

    /// Reads an input that cannot be opened again.
    fn read_once(&mut self) -> Result<(), Error> {
        let (mut reader, first) = self.reader.source.take_once()?;
        let options = self.reader.load_options();
        if let Reader::Lines(lines) = &mut reader {
            lines.find(&options);
        }
        let label = label(reader.path());
        let wanted = vec![Some(Wanted { from: FilePlace::default(), settled: 0, last: None }); self.outputs.len()];
        if let Some(first) = first {
            self.push(&label, &Block::Rows(first), &wanted)?;
        }
        self.read_file(&label, &mut reader, &wanted)
    }

    fn read_file(&mut self, label: &Arc<str>, reader: &mut Reader, wanted: &[Option<Wanted>]) -> Result<(), Error> {
        let last = wanted.iter().flatten().map(|wanted| wanted.last).collect::<Option<Vec<u64>>>();
        let last = last.and_then(|last| last.into_iter().max());
        while !self.outputs.iter().all(|output| output.batches.is_closed())
            && let Some(block) = reader.next_block()?
        {
            self.push(label, &block, wanted).map_err(|error| in_file(error, label))?;
            if last.is_some_and(|last| block.last() >= last) {
                break;
            }
        }
        Ok(())
    }

    /// Puts the rows of a block into the batches of their outputs.
    fn push(&mut self, label: &Arc<str>, block: &Block, wanted: &[Option<Wanted>]) -> Result<(), Error> {
        let parts = self.reader.parts_of(block)?;
        let part_of = |row: usize| parts.as_ref().map_or(Some(0), |parts| number_of(parts[row]));
        let is_in = |part: usize| parts.as_ref().is_none_or(|parts| parts.contains(&PartOfRow::In(part)));
        let is_empty = block.len() == 0 && block.refused().is_empty();
        let mut outputs: Vec<(&mut Output, u64)> = Vec::new();
        for (output, wanted) in self.outputs.iter_mut().zip(wanted) {
            match wanted {
                Some(wanted) if !is_empty && is_in(output.request.part) => outputs.push((output, wanted.settled)),
                // Documents that wait are not to wait for a part that has none of these rows.
                _ => drop(output.batches.send_old(&mut output.builder)),
            }
        }
        if outputs.is_empty() {
            return Ok(());
        }
        let frame = self.reader.selected(block)?;
        let encoder = Encoder::new(block, frame.as_ref(), &self.reader.options.writer)?;
        let mut by_part: Vec<Option<usize>> = Vec::new();
        for (number, (output, settled)) in outputs.iter_mut().enumerate() {
            let part = output.request.part;
            if by_part.len() <= part {
                by_part.resize(part + 1, None);
            }
            by_part[part] = Some(number);
            output.builder.source(label.clone(), block.place());
            refuse(&mut output.builder, *settled, block.refused());
        }
        for row in 0..block.len() {
            let Some(output) = part_of(row).and_then(|part| by_part.get(part).copied().flatten()) else { continue };
            let (output, settled) = &mut outputs[output];
            if encoder.number(row) > *settled
                && let Some(full) = encoder.push(row, &mut output.builder)?
                && !output.batches.send(full)
            {
                // The stream was dropped: its rows are passed over from here on.
                by_part[output.request.part] = None;
            }
        }
        for (output, _) in outputs {
            output.batches.send_old(&mut output.builder);
        }
        Ok(())
    }
}

fn number_of(part: PartOfRow) -> Option<usize> {
    match part {
        PartOfRow::In(number) => Some(number),
        PartOfRow::Outside | PartOfRow::WithoutTime => None,
    }
}
