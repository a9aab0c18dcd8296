//! The way of events from a run to its sinks: a channel a sink, each emptied by a task of its own, so
//! that a slow terminal does not hold up a run.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::event::RunEvent;

/// A consumer of the events of a run, in their order.
pub trait Sink: Send + 'static {
    /// Takes the next event.
    fn take(&mut self, event: &RunEvent);
}

impl<F: FnMut(&RunEvent) + Send + 'static> Sink for F {
    fn take(&mut self, event: &RunEvent) {
        self(event);
    }
}

/// The sending side of all channels.
#[derive(Clone, Debug, Default)]
pub struct Bus(Vec<mpsc::UnboundedSender<Arc<RunEvent>>>);

/// The tasks that empty the channels.
#[derive(Debug)]
pub struct Draining(Vec<JoinHandle<()>>);

impl Bus {
    /// Starts a task for each sink. Events of one step come at most ten times a second, which
    /// bounds what waits in a channel.
    pub fn to(sinks: Vec<Box<dyn Sink>>) -> (Self, Draining) {
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for mut sink in sinks {
            let (sender, mut receiver) = mpsc::unbounded_channel::<Arc<RunEvent>>();
            senders.push(sender);
            tasks.push(tokio::spawn(async move {
                while let Some(event) = receiver.recv().await {
                    sink.take(&event);
                }
            }));
        }
        (Self(senders), Draining(tasks))
    }

    /// Sends an event to every sink. One that has ended is passed over.
    pub fn send(&self, event: RunEvent) {
        let event = Arc::new(event);
        for sender in &self.0 {
            let _ = sender.send(event.clone());
        }
    }
}

impl Draining {
    /// Waits until every event is taken. All copies of the bus must have been dropped.
    pub async fn finish(self) {
        for task in self.0 {
            // A sink that panicked took what it could.
            let _ = task.await;
        }
    }
}
