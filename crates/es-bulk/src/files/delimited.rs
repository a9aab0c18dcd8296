//! Text files in pieces that end where a record ends.

use std::fs::File;
use std::io::{self, Read as _};

/// The size of a piece, in bytes; one record that is longer makes a longer piece.
pub(crate) const PIECE: usize = 8 << 20;

/// Where records may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// At every line break.
    None,
    /// At line breaks outside of double quotes.
    DoubleQuotes,
}

/// Reads a file in pieces of whole records.
pub(crate) struct Pieces {
    file: File,
    quoting: Quoting,
    rest: Vec<u8>,
    ended: bool,
}

impl Pieces {
    pub(crate) fn new(file: File, quoting: Quoting) -> Self {
        Self { file, quoting, rest: Vec::new(), ended: false }
    }

    /// The next piece, or `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if !self.ended {
                let wanted = PIECE as u64;
                let read = self.file.by_ref().take(wanted).read_to_end(&mut self.rest)?;
                self.ended = (read as u64) < wanted;
            }
            if self.ended {
                let last = std::mem::take(&mut self.rest);
                return Ok((!last.trim_ascii().is_empty()).then_some(last));
            }
            if let Some(end) = last_record_end(&self.rest, self.quoting) {
                let next = self.rest.split_off(end);
                return Ok(Some(std::mem::replace(&mut self.rest, next)));
            }
        }
    }
}

/// Where the last whole record ends, line break included.
fn last_record_end(text: &[u8], quoting: Quoting) -> Option<usize> {
    match quoting {
        Quoting::None => text.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1),
        Quoting::DoubleQuotes => {
            // A doubled quote inside a quoted value leaves it and enters it again, so
            // counting quotes is enough.
            let (mut quoted, mut end) = (false, None);
            for (at, byte) in text.iter().enumerate() {
                match byte {
                    b'"' => quoted = !quoted,
                    b'\n' if !quoted => end = Some(at + 1),
                    _ => {}
                }
            }
            end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_at_line_breaks_outside_of_quotes() {
        let table: [(&[u8], Quoting, Option<usize>); 5] = [
            (b"a\nb", Quoting::None, Some(2)),
            (b"ab", Quoting::None, None),
            (b"1,\"x\ny\"\n2,\"z\n", Quoting::DoubleQuotes, Some(8)),
            (b"1,\"a\"\"\n\"\n", Quoting::DoubleQuotes, Some(9)),
            (b"\"\n", Quoting::DoubleQuotes, None),
        ];
        for (text, quoting, expected) in table {
            assert_eq!(last_record_end(text, quoting), expected, "{}", String::from_utf8_lossy(text));
        }
    }
}
