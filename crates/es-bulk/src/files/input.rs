//! Bytes from start to end: of a file, which are there when they are read, or of a pipe, which come when
//! another program writes them.
//!
//! A pipe is read by a thread of its own, so that waiting for it can end: bytes that have come are not
//! to wait for others that may never come.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::byte_source::Bytes;

/// The bytes that are read from a pipe at once: the capacity of a pipe on Linux.
const BLOCK: usize = 64 << 10;

/// The maximum number of blocks that wait to be read: 1 MiB.
const WAITING_BLOCKS: usize = 16;

/// An input that is read from start to end.
pub(crate) enum Input {
    File(Bytes),
    Pipe(Pipe),
}

/// The end of an addition to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// All bytes that were wanted are there.
    All,
    /// The input has ended.
    ToTheEnd,
    /// The input is silent.
    UntilSilence,
}

impl Input {
    /// Appends as many bytes as are wanted. Bytes that were read before a failure are appended. The wait
    /// for a pipe is no longer than `patience`.
    pub(crate) fn add_to(&mut self, text: &mut Vec<u8>, wanted: usize, patience: Duration) -> io::Result<Added> {
        match self {
            Self::File(bytes) => {
                text.reserve(wanted);
                let read = bytes.by_ref().take(wanted as u64).read_to_end(text)?;
                Ok(if read < wanted { Added::ToTheEnd } else { Added::All })
            }
            Self::Pipe(pipe) => pipe.add_to(text, wanted, Instant::now() + patience),
        }
    }

    /// Waits until there is something to read, or the end; without `patience`, for any time. False when
    /// the time is over. A file need not be waited for.
    pub(crate) fn wait(&mut self, patience: Option<Duration>) -> bool {
        match self {
            Self::File(_) => true,
            Self::Pipe(pipe) => pipe.wait(patience.map(|patience| Instant::now() + patience)),
        }
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(bytes) => bytes.read(to),
            Self::Pipe(pipe) => pipe.read(to),
        }
    }
}

/// A pipe, with the bytes that have come.
pub(crate) struct Pipe {
    /// Blocks that are not empty; an empty one is the end.
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    /// The number of bytes of the block that were read.
    read: usize,
    failed: Option<io::Error>,
    has_ended: bool,
}

impl Pipe {
    /// Starts to read. The thread ends with the pipe, or at its next byte after the `Pipe` was dropped.
    pub(crate) fn start(bytes: Bytes) -> io::Result<Self> {
        let (sender, blocks) = sync_channel(WAITING_BLOCKS);
        thread::Builder::new().name("input".to_owned()).spawn(move || pass_on(bytes, &sender))?;
        Ok(Self { blocks, block: Vec::new(), read: 0, failed: None, has_ended: false })
    }

    /// Waits until something can be read, or for the end or a failure; without a time, for any time. False
    /// when the time was over before.
    pub(crate) fn wait(&mut self, until: Option<Instant>) -> bool {
        if self.read < self.block.len() || self.failed.is_some() || self.has_ended {
            return true;
        }
        let received = match until {
            Some(until) => self.blocks.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => self.blocks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(Ok(block)) => {
                self.has_ended = block.is_empty();
                (self.block, self.read) = (block, 0);
            }
            Ok(Err(error)) => self.failed = Some(error),
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => {
                self.failed = Some(io::Error::other("the thread that reads it has ended before it did"));
            }
        }
        true
    }

    fn add_to(&mut self, text: &mut Vec<u8>, wanted: usize, until: Instant) -> io::Result<Added> {
        let mut wanted = wanted;
        while wanted > 0 {
            if !self.wait(Some(until)) {
                return Ok(Added::UntilSilence);
            }
            let come = self.come(wanted)?;
            if come.is_empty() {
                return Ok(Added::ToTheEnd);
            }
            text.extend_from_slice(come);
            wanted -= come.len();
        }
        Ok(Added::All)
    }

    /// The bytes that have come, up to a length, which then count as read. None is the end.
    fn come(&mut self, length: usize) -> io::Result<&[u8]> {
        self.wait(None);
        if let Some(error) = self.failed.take() {
            self.has_ended = true;
            return Err(error);
        }
        let from = self.read;
        self.read = self.block.len().min(from + length);
        Ok(&self.block[from..self.read])
    }
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let come = self.come(to.len())?;
        to[..come.len()].copy_from_slice(come);
        Ok(come.len())
    }
}

/// Reads to the end, or until the receiver is dropped.
fn pass_on(mut bytes: Bytes, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK];
        let read = match bytes.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_last = !matches!(read, Ok(1..));
        let passed = to.send(read.map(|length| {
            block.truncate(length);
            block
        }));
        if is_last || passed.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::sync::mpsc::channel;

    const SHORT: Duration = Duration::from_millis(5);

    /// A pipe, and the end of it that is written to.
    fn pipe() -> (Input, std::sync::mpsc::Sender<Vec<u8>>) {
        struct Written(Receiver<Vec<u8>>);
        impl Read for Written {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let Ok(come) = self.0.recv() else { return Ok(0) };
                to[..come.len()].copy_from_slice(&come);
                Ok(come.len())
            }
        }
        let (sender, receiver) = channel();
        (Input::Pipe(Pipe::start(Box::new(Written(receiver))).unwrap()), sender)
    }

    #[test]
    fn bytes_that_have_come_do_not_wait_for_more() {
        let (mut input, writer) = pipe();
        let mut text = Vec::new();
        assert_eq!(input.add_to(&mut text, 10, SHORT).unwrap(), Added::UntilSilence);
        writer.send(b"abc".to_vec()).unwrap();
        assert!(input.wait(None));
        assert_eq!(input.add_to(&mut text, 10, SHORT).unwrap(), Added::UntilSilence);
        assert_eq!(text, b"abc");
        writer.send(b"defgh".to_vec()).unwrap();
        assert_eq!(input.add_to(&mut text, 2, Duration::from_secs(60)).unwrap(), Added::All);
        assert_eq!(text, b"abcde");
        drop(writer);
        assert_eq!(input.add_to(&mut text, 10, Duration::from_secs(60)).unwrap(), Added::ToTheEnd);
        assert_eq!(text, b"abcdefgh");
        assert_eq!(input.add_to(&mut text, 10, Duration::from_secs(60)).unwrap(), Added::ToTheEnd);
    }

    #[test]
    fn a_pipe_that_is_read_as_a_file_is_its_bytes() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 7).map(|byte| (byte % 251) as u8).collect();
        let mut pipe = Pipe::start(Box::new(Cursor::new(bytes.clone()))).unwrap();
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn a_failure_comes_after_the_bytes_before_it_and_a_lost_thread_is_a_failure() {
        struct Breaks(bool);
        impl Read for Breaks {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                if self.0 {
                    panic!("a decoder with a defect");
                }
                Err(io::Error::other("broken pipe of the test"))
            }
        }
        for (panics, message) in
            [(false, "broken pipe of the test"), (true, "the thread that reads it has ended before it did")]
        {
            let bytes = Cursor::new(b"ab".to_vec()).chain(Breaks(panics));
            let mut input = Input::Pipe(Pipe::start(Box::new(bytes)).unwrap());
            let mut text = Vec::new();
            let error = input.add_to(&mut text, 10, Duration::from_secs(60)).unwrap_err();
            assert_eq!((text.as_slice(), error.to_string().as_str()), (b"ab".as_slice(), message));
        }
    }
}
