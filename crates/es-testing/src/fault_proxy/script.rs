//! The script of faults, and the record of their use.

use std::collections::VecDeque;
use std::time::Duration;

/// The fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// The connection is reset. The node never sees the request.
    Reset,
    /// The request is read, and never answered: the connection stays open. The node never sees
    /// the request.
    Stall,
    /// The proxy answers with this status and an Elasticsearch error. The node never sees the
    /// request.
    Answer(u16),
    /// The node applies the request, and its reply is lost: the connection is closed without one.
    DropReply,
    /// The node applies the request, and its reply comes with this status instead of its own.
    Rewrite(u16),
    /// The node applies the request; this many bytes of its reply come, and then the connection
    /// is closed.
    Truncate(usize),
    /// The node applies the request; this many bytes of its reply come, and then nothing more,
    /// while the connection stays open.
    StallAfter(usize),
    /// The node applies the request, and its reply comes a byte at a time with this pause before
    /// each.
    Drip(Duration),
    /// The request is held for this long before the node sees it.
    Delay(Duration),
    /// A bulk request: of its documents this share, in percent and rounded down, is answered 429
    /// and the node never sees them; it applies the others. The seed decides which. A request of
    /// which nothing is left counts as answered by the node.
    RefuseItems {
        /// The percentage of refused documents.
        percent: u8,
        /// Decides which.
        seed: u64,
    },
}

/// The fault of one connection, before a request is read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Nothing.
    Pass,
    /// It is reset.
    Reset,
    /// It is accepted, and nothing is ever read or written.
    Stall,
}

/// A request that the proxy saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// Its method.
    pub method: String,
    /// Its path, with the query.
    pub path: String,
    /// Its headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, as it was sent.
    pub body: Vec<u8>,
    /// The applied fault.
    pub fault: Fault,
    /// The status that the node answered; `None` where the node did not see it, or has not
    /// answered yet.
    pub status: Option<u16>,
}

/// The number of documents of bulk requests under [`Fault::RefuseItems`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenItems {
    /// Those that the node got, in requests that it has answered.
    pub forwarded: u64,
    /// Those that the proxy refused.
    pub refused: u64,
}

type Decide = Box<dyn FnMut(&SeenRequest) -> Fault + Send>;

/// Decides what is done to a request that no script is for.
#[derive(Default)]
pub(super) struct Decider(pub(super) Option<Decide>);

impl std::fmt::Debug for Decider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_some() { "Decider" } else { "none" })
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) decider: Decider,
    /// True if bodies are dropped once the faults of their requests are chosen.
    pub(super) forgets_bodies: bool,
    pub(super) items: SeenItems,
    pub(super) connections: usize,
    pub(super) connection_script: VecDeque<ConnectionFault>,
    pub(super) scripts: Vec<(String, VecDeque<Fault>)>,
    pub(super) requests: Vec<SeenRequest>,
}

impl State {
    /// Takes the fault of a request out of the scripts, or has it decided.
    pub(super) fn next_fault(&mut self, request: &SeenRequest) -> Fault {
        let mut matching = self.scripts.iter_mut().filter(|(part, _)| request.path.contains(part.as_str()));
        let scripted = matching.find_map(|(_, queue)| queue.pop_front());
        scripted.unwrap_or_else(|| self.decider.0.as_mut().map_or(Fault::Pass, |decide| decide(request)))
    }
}
