//! Columns of float vectors as pages of Parquet.
//!
//! If a row has as many numbers as every other and none is null, nothing has to be found out
//! about the levels that say which row each number belongs to: they are two runs a row. Polars
//! asks each number for them, twice, which takes longer than everything else that is done with
//! a vector. Numbers as learnt by a model hardly shrink either, so that a column whose first
//! page does not is left as it is.
//!
//! Source: the [levels](https://parquet.apache.org/docs/file-format/nestedencoding/) and the
//! [hybrid of runs and packed bits](https://parquet.apache.org/docs/file-format/data-pages/encodings/)
//! of the Parquet format.

use std::ops::Range;

use polars::prelude::{CompatLevel, DataType, Series};
use polars_arrow::array::{Array, FixedSizeListArray, PrimitiveArray};
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::error::ParquetResult;
use polars_parquet::parquet::page::{DataPage, DataPageHeader, DataPageHeaderV1};
use polars_parquet::parquet::statistics::ParquetStatistics;
use polars_parquet::write::{CompressedPage, CompressionOptions, Descriptor, Page, compress};

/// Bytes of a page.
const PAGE_BYTES: usize = 1 << 20;

/// Below this, packed bits are shorter than runs.
const LEAST_WIDTH: usize = 40;

/// The share of its size that a page must lose to compression for the column to be compressed.
const WORTHWHILE: f64 = 0.2;

/// The definition level of a number in a list, where both may be null.
const PRESENT: i16 = 3;

/// The vectors of a column; as an iterator, their pages.
pub(super) struct Vectors {
    /// A page is of one piece, so that large columns are not copied into one before.
    pieces: Vec<Piece>,
    descriptor: Descriptor,
    /// The piece and the row that the next page begins with.
    next: (usize, usize),
}

/// A part of the rows.
struct Piece {
    lists: FixedSizeListArray,
    numbers: PrimitiveArray<f32>,
}

impl Vectors {
    /// A column as vectors, if it is one of vectors without gaps.
    pub(super) fn of(column: &Series, descriptor: &Descriptor) -> Option<Self> {
        let is_wide = match column.dtype() {
            DataType::Array(number, width) => **number == DataType::Float32 && *width >= LEAST_WIDTH,
            _ => false,
        };
        if !is_wide || descriptor.max_def_level != PRESENT || descriptor.max_rep_level != 1 {
            return None;
        }
        // Short pieces would be short pages.
        let column = match column.estimated_size() < column.n_chunks() * PAGE_BYTES / 2 {
            true => &column.rechunk(),
            false => column,
        };
        let arrays = (0..column.n_chunks()).map(|place| column.to_arrow(place, CompatLevel::newest()));
        let pieces = arrays.map(|array| Piece::of(array.as_ref())).collect::<Option<_>>()?;
        Some(Self { pieces, descriptor: descriptor.clone(), next: (0, 0) })
    }

    /// The compression of the column: the requested one, unless that gains little.
    pub(super) fn compression(&self, asked: CompressionOptions) -> ParquetResult<CompressionOptions> {
        let first = self.pieces.iter().find_map(|piece| Some((piece, piece.first_there()?)));
        let Some((piece, row)) = first else { return Ok(asked) };
        let page = piece.page(piece.rows_from(row), &self.descriptor);
        let shrinks = match compress(page, Vec::new(), asked)? {
            CompressedPage::Data(page) => {
                (page.compressed_size() as f64) < (1.0 - WORTHWHILE) * page.uncompressed_size() as f64
            }
            CompressedPage::Dict(_) => true,
        };
        Ok(if shrinks { asked } else { CompressionOptions::Uncompressed })
    }
}

impl Iterator for Vectors {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        loop {
            let (place, row) = self.next;
            let piece = self.pieces.get(place)?;
            let rows = piece.rows_from(row);
            if rows.is_empty() {
                self.next = (place + 1, 0);
                continue;
            }
            self.next = (place, rows.end);
            return Some(piece.page(rows, &self.descriptor));
        }
    }
}

impl Piece {
    fn of(array: &dyn Array) -> Option<Self> {
        let lists: &FixedSizeListArray = array.as_any().downcast_ref()?;
        let numbers: &PrimitiveArray<f32> = lists.values().as_any().downcast_ref()?;
        let piece = Self { lists: lists.clone(), numbers: numbers.clone() };
        piece.is_whole().then_some(piece)
    }

    /// Returns `true` if no vector has a null in it. Vectors that are null themselves may.
    fn is_whole(&self) -> bool {
        let width = self.lists.size();
        let Some(validity) = self.numbers.validity() else { return true };
        let is_whole = |row: usize| validity.null_count_range(row * width, width) == 0;
        validity.unset_bits() == 0 || (0..self.lists.len()).all(|row| !self.is_there(row) || is_whole(row))
    }

    fn first_there(&self) -> Option<usize> {
        (0..self.lists.len()).find(|row| self.is_there(*row))
    }

    fn is_there(&self, row: usize) -> bool {
        self.lists.validity().is_none_or(|validity| validity.get_bit(row))
    }

    /// The rows of the page that begins with a row.
    fn rows_from(&self, row: usize) -> Range<usize> {
        let rows = (PAGE_BYTES / (self.lists.size() * size_of::<f32>())).max(1);
        row..(row + rows).min(self.lists.len())
    }

    /// The page of these rows.
    fn page(&self, rows: Range<usize>, descriptor: &Descriptor) -> Page {
        let width = self.lists.size();
        let height = rows.len();
        let mut buffer = Vec::with_capacity(height * (width * size_of::<f32>() + 8) + 16);
        let mut repetition = Levels::default();
        let mut definition = Levels::default();
        let mut nulls = 0;
        for row in rows.clone() {
            repetition.push(0, 1);
            match self.is_there(row) {
                true => {
                    repetition.push(1, width - 1);
                    definition.push(PRESENT as u8, width);
                }
                false => {
                    definition.push(0, 1);
                    nulls += 1;
                }
            }
        }
        let values = repetition.values;
        repetition.write(&mut buffer);
        definition.write(&mut buffer);
        let mut bounds = Bounds::default();
        for row in rows {
            if self.is_there(row) {
                let start = buffer.len();
                buffer.resize(start + width * size_of::<f32>(), 0);
                let numbers = &self.numbers.values()[row * width..(row + 1) * width];
                bounds.see(numbers);
                for (bytes, number) in buffer[start..].chunks_exact_mut(size_of::<f32>()).zip(numbers) {
                    bytes.copy_from_slice(&number.to_le_bytes());
                }
            }
        }
        // Nobody asks for them, but readers take a page without bounds for one of nulls alone.
        let bounds = bounds.finish();
        let statistics = ParquetStatistics {
            null_count: Some(nulls),
            distinct_count: None,
            min: None,
            max: None,
            min_value: bounds.map(|(least, _)| least.to_le_bytes().to_vec()),
            max_value: bounds.map(|(_, greatest)| greatest.to_le_bytes().to_vec()),
            is_min_value_exact: None,
            is_max_value_exact: None,
        };
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            // A page has few more values than numbers fit into it.
            num_values: values as i32,
            encoding: Encoding::Plain.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: Some(statistics),
        });
        Page::Data(DataPage::new(header, CowBuffer::Owned(buffer), descriptor.clone(), height))
    }
}

/// The number of values that are compared together.
const LANES: usize = 16;

/// The least and the greatest of the numbers that were seen.
struct Bounds {
    least: [f32; LANES],
    greatest: [f32; LANES],
    /// Not 0 where a NaN was seen.
    nans: [u32; LANES],
    is_empty: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least: [f32::INFINITY; LANES], greatest: [f32::NEG_INFINITY; LANES], nans: [0; LANES], is_empty: true }
    }
}

impl Bounds {
    fn see(&mut self, numbers: &[f32]) {
        let Some(first) = numbers.first() else { return };
        self.is_empty = false;
        let (chunks, rest) = numbers.as_chunks::<LANES>();
        chunks.iter().for_each(|lanes| self.see_lanes(lanes));
        // Seeing a number twice changes nothing.
        let mut lanes = [*first; LANES];
        lanes[..rest.len()].copy_from_slice(rest);
        self.see_lanes(&lanes);
    }

    /// Without a branch, so that lanes are compared together.
    fn see_lanes(&mut self, lanes: &[f32; LANES]) {
        let bounds = self.least.iter_mut().zip(&mut self.greatest).zip(&mut self.nans);
        for (number, ((least, greatest), nan)) in lanes.iter().zip(bounds) {
            *least = if number < least { *number } else { *least };
            *greatest = if number > greatest { *number } else { *greatest };
            *nan |= u32::from(number.is_nan());
        }
    }

    /// Bounds as the format wants them: of zeros both signs, and never a NaN, beside which
    /// there are none but the infinities.
    fn finish(&self) -> Option<(f32, f32)> {
        if self.is_empty {
            return None;
        }
        if self.nans.iter().any(|nan| *nan != 0) {
            return Some((f32::NEG_INFINITY, f32::INFINITY));
        }
        let least = self.least.into_iter().fold(f32::INFINITY, f32::min);
        let greatest = self.greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
        Some((if least == 0.0 { -0.0 } else { least }, if greatest == 0.0 { 0.0 } else { greatest }))
    }
}

/// Levels below 256 as runs, equal ones put together.
#[derive(Default)]
struct Levels {
    runs: Vec<u8>,
    level: u8,
    length: usize,
    /// Levels in all.
    values: usize,
}

impl Levels {
    fn push(&mut self, level: u8, times: usize) {
        if level != self.level {
            self.end_run();
            self.level = level;
        }
        self.length += times;
        self.values += times;
    }

    fn end_run(&mut self) {
        if self.length == 0 {
            return;
        }
        // The lowest bit says that it is a run.
        let mut header = self.length << 1;
        while header >= 0x80 {
            self.runs.push(header as u8 | 0x80);
            header >>= 7;
        }
        self.runs.extend([header as u8, self.level]);
        self.length = 0;
    }

    /// Appends the runs after the number of their bytes.
    fn write(mut self, buffer: &mut Vec<u8>) {
        self.end_run();
        buffer.extend((self.runs.len() as u32).to_le_bytes());
        buffer.append(&mut self.runs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_every_number() {
        let of = |rows: &[&[f32]]| {
            let mut bounds = Bounds::default();
            rows.iter().for_each(|row| bounds.see(row));
            bounds.finish().map(|(least, greatest)| (least.to_bits(), greatest.to_bits()))
        };
        let some = |least: f32, greatest: f32| Some((least.to_bits(), greatest.to_bits()));
        let many: Vec<f32> = (0..100).map(|n| ((n * 37) % 100) as f32).collect();
        assert_eq!(of(&[&many[1..], &[-3.0]]), some(-3.0, 99.0));
        assert_eq!(of(&[&[7.0]]), some(7.0, 7.0));
        assert_eq!(of(&[&[0.0]]), some(-0.0, 0.0));
        assert_eq!(of(&[&[-0.0]]), some(-0.0, 0.0));
        assert_eq!(of(&[&[1.0, f32::NAN], &[2.0]]), some(f32::NEG_INFINITY, f32::INFINITY));
        assert_eq!(of(&[&[&many[..20], &[f32::NAN], &many[20..]].concat()]), some(f32::NEG_INFINITY, f32::INFINITY));
        for at in 0..50 {
            let mut numbers = [0.5; 50];
            (numbers[at], numbers[49 - at]) = (-7.0, 7.0);
            assert_eq!(of(&[&numbers]), some(-7.0, 7.0), "{at}");
        }
        assert_eq!(of(&[&[f32::INFINITY, 1.0]]), some(1.0, f32::INFINITY));
        assert_eq!(of(&[&[]]), None);
    }

    #[test]
    fn equal_levels_are_one_run() {
        let mut levels = Levels::default();
        levels.push(3, 0);
        levels.push(3, 60);
        levels.push(3, 5);
        levels.push(0, 1);
        levels.push(3, 100_000);
        assert_eq!(levels.values, 100_066);
        let mut buffer = vec![7];
        levels.write(&mut buffer);
        // 65 = 0b1000001, and 100,000 = 0b110_0001101_0100000.
        assert_eq!(buffer, [7, 9, 0, 0, 0, 0x82, 1, 3, 2, 0, 0xc0, 0x9a, 0x0c, 3]);
        let mut none = Vec::new();
        Levels::default().write(&mut none);
        assert_eq!(none, [0; 4]);
    }
}
