//! Columns kept aside on disk while the rows come, for formats that want them one after
//! another.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Memory for all columns together, and the most and least for one.
const ALL_COLUMNS: usize = 32 * 1024 * 1024;
const MOST: usize = 1024 * 1024;
const LEAST: usize = 16 * 1024;

/// One nameless file for all columns, in pieces. It is in the folder of the file that it is
/// for, as there is room for it if anywhere, and goes with the process that made it.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    end: u64,
    columns: Vec<Spooled>,
    piece: usize,
}

#[derive(Default)]
struct Spooled {
    waiting: Vec<u8>,
    pieces: Vec<(u64, usize)>,
}

impl Spool {
    pub(super) fn create(path: &Path, columns: usize) -> Result<Self, Error> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::tempfile_in(folder).map_err(|source| Error::writing(path, source))?;
        let piece = (ALL_COLUMNS / columns.max(1)).clamp(LEAST, MOST);
        let columns = (0..columns).map(|_| Spooled::default()).collect();
        Ok(Self { path: path.to_owned(), file, end: 0, columns, piece })
    }

    /// Lets a column's bytes be appended to, and keeps them aside once they are many.
    pub(super) fn append(
        &mut self,
        column: usize,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        append(&mut self.columns[column].waiting)?;
        if self.columns[column].waiting.len() >= self.piece { self.put_aside(column) } else { Ok(()) }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.waiting.len()).sum()
    }

    /// Puts everything aside.
    pub(super) fn release(&mut self) -> Result<(), Error> {
        (0..self.columns.len()).try_for_each(|column| self.put_aside(column))
    }

    fn put_aside(&mut self, column: usize) -> Result<(), Error> {
        let column = &mut self.columns[column];
        if column.waiting.is_empty() {
            return Ok(());
        }
        self.file.write_all(&column.waiting).map_err(|source| Error::writing(&self.path, source))?;
        column.pieces.push((self.end, column.waiting.len()));
        self.end += column.waiting.len() as u64;
        column.waiting.clear();
        Ok(())
    }

    /// Reads a column from its beginning to its end.
    pub(super) fn read(
        &mut self,
        column: usize,
        mut write: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut buffer = Vec::new();
        let column = &self.columns[column];
        for (at, length) in &column.pieces {
            buffer.resize(*length, 0);
            let read = |file: &mut File, buffer: &mut [u8]| -> io::Result<()> {
                file.seek(SeekFrom::Start(*at))?;
                file.read_exact(buffer)
            };
            read(&mut self.file, &mut buffer).map_err(|source| Error::writing(&self.path, source))?;
            write(&buffer)?;
        }
        write(&column.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back_whole_however_they_came() {
        let scratch = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(&scratch.path().join("file"), 3).unwrap();
        spool.piece = 10;
        let mut expected = vec![Vec::new(); 3];
        for round in 0..50_u8 {
            for (column, expected) in expected.iter_mut().enumerate().take(2) {
                let bytes = vec![round; (round as usize * (column + 3)) % 7];
                expected.extend_from_slice(&bytes);
                let append = |waiting: &mut Vec<u8>| {
                    waiting.extend_from_slice(&bytes);
                    Ok(())
                };
                spool.append(column, append).unwrap();
            }
            if round == 20 {
                spool.release().unwrap();
                assert_eq!(spool.bytes(), 0);
            }
        }
        assert!(spool.bytes() < 30);
        for (column, expected) in expected.iter().enumerate() {
            let mut found = Vec::new();
            let write = |bytes: &[u8]| {
                found.extend_from_slice(bytes);
                Ok(())
            };
            spool.read(column, write).unwrap();
            assert_eq!(&found, expected);
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the spool has no name");
    }
}
