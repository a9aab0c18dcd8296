//! Rows to a pipe, as they come.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::{DataFrame, Schema};

use super::csv::Csv;
use super::format::{Compression, FileOptions, Format};
use super::gather::aligned;
use super::ipc::IpcStream;
use super::ndjson::{Lines, write_lines};
use crate::error::{Error, ErrorKind};

/// The totals of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSummary {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Writes frames to anything, such as standard output: as an Arrow IPC stream, CSV, TSV, NDJSON or JSON.
/// Each frame is written out before the next is taken, so that a reader sees it at once and a
/// slow reader slows the writer.
///
/// ```
/// use es_export::{Format, StreamWriter};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let frame = df!("carrier" => ["UA", "B6"], "dep_delay" => [Some(2), None])?;
/// let mut out = Vec::new();
/// let mut stream = StreamWriter::new(Format::Csv, frame.schema(), &mut out)?;
/// stream.push(&frame)?;
/// assert_eq!(stream.finish()?.rows, 2);
/// assert_eq!(String::from_utf8(out)?, "carrier,dep_delay\r\nUA,2\r\nB6,\r\n");
/// # Ok(())
/// # }
/// ```
pub struct StreamWriter<W: Write> {
    sink: W,
    encoder: Encoder,
    waiting: Shared,
    written: StreamSummary,
}

enum Encoder {
    Ipc(IpcStream<Shared>),
    Csv(Csv<Shared>),
    Json(Lines),
    Ended,
}

/// The buffer that the encoders write to: their errors would hide those of the sink.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream. Of an Arrow stream the schema is written at once.
    ///
    /// # Errors
    /// As [`FileOptions::check`], [`ErrorKind::Format`] for a format that is no stream, and as
    /// [`StreamWriter::push`].
    pub fn new(options: impl Into<FileOptions>, schema: &Schema, sink: W) -> Result<Self, Error> {
        let options = options.into();
        options.check(schema)?;
        let waiting = Shared::default();
        let encoder = match options.format {
            Format::IpcStream => Encoder::Ipc(IpcStream::start(waiting.clone(), schema, options.compression())?),
            Format::Csv => Encoder::Csv(Csv::new(waiting.clone(), schema, b',')?),
            Format::Tsv => Encoder::Csv(Csv::new(waiting.clone(), schema, b'\t')?),
            Format::Ndjson => Encoder::Json(Lines::Ndjson),
            Format::Json => Encoder::Json(Lines::Array),
            other => {
                let message = format!("{other} cannot be written to a stream, as it needs to seek");
                return Err(Error::new(ErrorKind::Format, message)
                    .with_help("choose ipc-stream, csv, tsv, ndjson or json, or write to a folder"));
            }
        };
        if options.format.is_text() && options.compression() != Compression::Uncompressed {
            let message = format!("a stream of {} is not compressed", options.format);
            return Err(Error::new(ErrorKind::Format, message).with_help(
                "leave the compression out and send it through a program that compresses, or write a file",
            ));
        }
        let mut stream = Self { sink, encoder, waiting, written: StreamSummary::default() };
        stream.forward()?;
        Ok(stream)
    }

    /// Writes rows, and sees that they are on their way.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when the reader wants no more, as `head` does after ten lines;
    /// [`ErrorKind::DiskFull`], [`ErrorKind::Io`]; [`ErrorKind::Value`] names a column with a
    /// value that the format has no form for.
    pub fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        match &mut self.encoder {
            Encoder::Ipc(stream) => stream.write(&aligned(frame.clone()))?,
            Encoder::Csv(csv) => csv.write(frame)?,
            Encoder::Ended => {}
            Encoder::Json(form) => {
                let rows = self.written.rows;
                let (sink, bytes) = (&mut self.sink, &mut self.written.bytes);
                write_lines(frame, *form, (rows, "the stream"), |lines| {
                    *bytes += lines.len() as u64;
                    sink.write_all(lines).map_err(Error::streaming)
                })?;
            }
        }
        self.forward()?;
        self.written.rows += frame.height() as u64;
        Ok(())
    }

    /// The totals so far.
    pub fn written(&self) -> StreamSummary {
        self.written
    }

    fn forward(&mut self) -> Result<(), Error> {
        let bytes = self.waiting.take();
        self.sink.write_all(&bytes).and_then(|()| self.sink.flush()).map_err(Error::streaming)?;
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Ends the stream. Without rows, CSV has its header all the same.
    ///
    /// # Errors
    /// As [`StreamWriter::push`].
    pub fn finish(mut self) -> Result<StreamSummary, Error> {
        match std::mem::replace(&mut self.encoder, Encoder::Ended) {
            Encoder::Ipc(stream) => drop(stream.finish()?),
            Encoder::Csv(csv) => csv.finish()?,
            Encoder::Json(form) => {
                self.waiting.write_all(form.end(self.written.rows)).map_err(Error::streaming)?;
            }
            Encoder::Ended => {}
        }
        self.forward()?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    /// A sink that breaks after so many bytes.
    struct Breaks(usize, io::ErrorKind);

    impl Write for Breaks {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        let frame = df!("n" => (0..100_000).collect::<Vec<i64>>()).unwrap();
        let table = [
            (io::ErrorKind::BrokenPipe, ErrorKind::Closed),
            (io::ErrorKind::StorageFull, ErrorKind::DiskFull),
            (io::ErrorKind::PermissionDenied, ErrorKind::Io),
        ];
        for (cause, kind) in table {
            for name in ["ipc-stream", "csv", "ndjson"] {
                let format = name.parse::<Format>().unwrap();
                let mut stream = StreamWriter::new(format, frame.schema(), Breaks(1_000, cause)).unwrap();
                assert_eq!(stream.push(&frame).unwrap_err().kind(), kind, "{name}");
            }
        }
    }

    #[test]
    fn every_frame_is_written_before_the_next_is_taken() {
        struct Flushes(Arc<Mutex<Vec<usize>>>, usize);
        impl Write for Flushes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.0.lock().unwrap().push(self.1);
                Ok(())
            }
        }
        let frame = df!("n" => [1, 2, 3]).unwrap();
        for name in ["ipc-stream", "csv", "ndjson"] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let format = name.parse::<Format>().unwrap();
            let mut stream = StreamWriter::new(format, frame.schema(), Flushes(seen.clone(), 0)).unwrap();
            for _ in 0..2 {
                let before = *seen.lock().unwrap().last().unwrap();
                stream.push(&frame).unwrap();
                assert!(*seen.lock().unwrap().last().unwrap() > before, "{name}");
            }
            let summary = stream.finish().unwrap();
            assert_eq!((summary.rows, summary.bytes), (6, *seen.lock().unwrap().last().unwrap() as u64), "{name}");
        }
    }

    #[test]
    fn rows_are_numbered_from_the_beginning_of_the_output() {
        let frame = |values: [f64; 3]| df!("x" => values).unwrap();
        let (good, bad) = (frame([1.0, 2.0, 3.0]), frame([1.0, f64::NAN, 3.0]));
        let mut stream = StreamWriter::new(Format::Ndjson, good.schema(), Vec::new()).unwrap();
        stream.push(&good).unwrap();
        let error = stream.push(&bad).unwrap_err();
        assert_eq!(error.to_string(), "row 5 of the stream: column x holds NaN, which JSON has no number for");
        assert_eq!(error.kind(), ErrorKind::Value);

        let folder = tempfile::tempdir().unwrap();
        let name = "data/part-00000.ndjson";
        let mut file = crate::write::create(Format::Ndjson, folder.path(), name, good.schema(), None).unwrap();
        file.push(&good).unwrap();
        let error = file.push(&bad).unwrap_err().to_string();
        assert_eq!(error, "row 5 of data/part-00000.ndjson: column x holds NaN, which JSON has no number for");
    }

    #[test]
    fn formats_that_seek_are_no_streams() {
        for format in Format::ALL {
            let schema = Schema::from_iter([("n".into(), DataType::Int64)]);
            let outcome = StreamWriter::new(format, &schema, io::sink()).map(|_| ());
            assert_eq!(outcome.is_ok(), format.is_stream(), "{format}");
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::Format);
            }
        }
    }
}
