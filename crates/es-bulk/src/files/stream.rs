//! Batches from a thread that reads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use futures::Stream;
use tokio::sync::mpsc;

use crate::batch::{Batch, BatchBuilder};
use crate::error::{Error, ErrorKind};

/// Batches of documents that a thread reads from files.
///
/// One batch waits while others are sent, so that reading does not fall behind and memory stays
/// bounded. An error is the end, and so is a panic of the thread, which is an error of the kind
/// [`ErrorKind::Input`]. Dropping the stream stops the thread at its next piece.
#[derive(Debug)]
pub struct BatchStream {
    batches: mpsc::Receiver<Result<Batch, Error>>,
}

impl Stream for BatchStream {
    type Item = Result<Batch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_recv(context)
    }
}

/// The sending end of a [`BatchStream`].
#[derive(Clone)]
pub(crate) struct BatchOutput {
    batches: mpsc::Sender<Result<Batch, Error>>,
}

impl BatchOutput {
    /// Sends a batch, once there is room for it; false when the stream was dropped. Blocks.
    pub(crate) fn send(&self, batch: Batch) -> bool {
        self.batches.blocking_send(Ok(batch)).is_ok()
    }

    /// Sends the batch of a builder if it is old; false when the stream was dropped. Blocks.
    pub(crate) fn send_old(&self, builder: &mut BatchBuilder) -> bool {
        match builder.finish_old() {
            Some(old) => self.send(old),
            None => !self.is_closed(),
        }
    }

    /// Returns true when the stream was dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.batches.is_closed()
    }
}

/// Starts a thread that reads batches for one stream or several. Its failure ends all of them.
pub(crate) fn read_in_thread(
    streams: usize,
    read: impl FnOnce(Vec<BatchOutput>) -> Result<(), Error> + Send + 'static,
) -> Vec<BatchStream> {
    let (outputs, streams): (Vec<_>, Vec<_>) = (0..streams)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(1);
            (BatchOutput { batches: sender }, BatchStream { batches: receiver })
        })
        .unzip();
    let failing = outputs.clone();
    let spawned = thread::Builder::new().name("files".to_owned()).spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| read(outputs.clone())));
        if let Err(error) = done.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            fail(&outputs, error);
        }
    });
    if let Err(error) = spawned {
        let message = format!("no thread can be started to read the files: {error}");
        // Nothing was sent yet, so that there is room.
        for output in &failing {
            let _ = output.batches.try_send(Err(Error::new(ErrorKind::Input, message.clone())));
        }
    }
    streams
}

/// Ends all streams with an error. The first has it whole, the others its message and help.
fn fail(outputs: &[BatchOutput], error: Error) {
    let copies: Vec<Error> = outputs
        .iter()
        .skip(1)
        .map(|_| {
            let copy = Error::new(error.kind(), error.to_string());
            match error.help() {
                Some(help) => copy.with_help(help),
                None => copy,
            }
        })
        .collect();
    for (output, error) in outputs.iter().zip(std::iter::once(error).chain(copies)) {
        // A stream that was dropped does not need it.
        let _ = output.batches.blocking_send(Err(error));
    }
}

/// The first line of the message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.and_then(|text| text.lines().next()).unwrap_or("the reader failed without a message")
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic_text(panic);
    Error::new(ErrorKind::Input, format!("the files cannot be read on: {text}"))
        .with_help("this is a defect; report it with the file that was read")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use futures::StreamExt as _;

    use super::*;
    use crate::batch::{Action, BatchLimits};

    fn batch(id: &str) -> Batch {
        let mut builder = BatchBuilder::new(BatchLimits::default());
        builder.push_json(&Action { id: Some(id), ..Action::default() }, b"{}").unwrap();
        builder.finish().unwrap()
    }

    fn one(read: impl FnOnce(BatchOutput) -> Result<(), Error> + Send + 'static) -> BatchStream {
        read_in_thread(1, |mut outputs| read(outputs.remove(0))).remove(0)
    }

    #[tokio::test]
    async fn a_panic_is_an_error_after_the_batches_before_it() {
        let mut stream = one(|output| {
            assert!(output.send(batch("1")));
            panic!("a reader with a defect");
        });
        assert_eq!(stream.next().await.unwrap().unwrap().len(), 1);
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the files cannot be read on: a reader with a defect");
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_failure_ends_every_stream() {
        let mut streams = read_in_thread(2, |outputs| {
            assert!(outputs[1].send(batch("1")));
            Err(Error::new(ErrorKind::Format, "cut off").with_help("write it again"))
        });
        assert_eq!(streams[1].next().await.unwrap().unwrap().len(), 1);
        for stream in &mut streams {
            let error = stream.next().await.unwrap().unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Format, "cut off".to_owned()));
            assert_eq!(error.help(), Some("write it again"));
            assert!(stream.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn dropping_the_stream_stops_the_thread() {
        let (ended, wait) = channel();
        let mut stream = one(move |output| {
            let mut sent = 0;
            while output.send(batch("1")) {
                sent += 1;
            }
            ended.send(sent).unwrap();
            Ok(())
        });
        stream.next().await.unwrap().unwrap();
        drop(stream);
        // One was taken and one may have waited.
        assert!(wait.recv_timeout(Duration::from_secs(20)).unwrap() <= 2);
    }
}
