//! A proxy between a client and a node that breaks exchanges on purpose, by a script.
//!
//! It stands before a real node, so that a test can ask what *happened* there when the client was
//! not answered, or answered otherwise. Every request takes the next fault of the script that matches
//! its path; once the script is used up, requests pass. Which request gets which fault depends on
//! the order in which they arrive and on nothing else, so a test that sends one after the other,
//! or that scripts by path, is deterministic.
//!
//! ```no_run
//! # async fn a_lost_reply() {
//! # let Some(node) = es_testing::plain().await else { return };
//! use es_testing::{Fault, FaultProxy};
//!
//! let proxy = FaultProxy::before(&node.url).await;
//! // connect the client under test to proxy.url(), and then:
//! proxy.script_for("/_bulk", [Fault::DropReply, Fault::Answer(429)]);
//! // ... send two bulk requests: the first is applied and nobody learns of it, the second is
//! // refused by the proxy.
//! assert_eq!(proxy.forwarded("/_bulk"), 1);
//! # }
//! ```
//!
//! It speaks plain HTTP/1.1 to both sides and holds one message whole at a time, so it is for
//! bodies of a test's size. Encryption is left to tests of their own.

mod exchange;
mod items;
mod message;
mod script;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

pub use script::{ConnectionFault, Fault, SeenItems, SeenRequest};
use script::{Decider, State};

/// A running proxy. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    listening: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct Shared {
    /// Host and port of the node.
    upstream: String,
    state: Mutex<State>,
}

impl FaultProxy {
    /// A proxy before the node at an `http` address, on a port of its own of this machine.
    ///
    /// # Panics
    /// When the address is not `http`, and when no port is free.
    pub async fn before(upstream: &str) -> Self {
        let Some(address) = upstream.strip_prefix("http://") else {
            panic!("{upstream} is not an http address");
        };
        let upstream = address.trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { upstream, state: Mutex::default() });
        let listener = bind(0).await;
        let port = match listener.local_addr() {
            Ok(address) => address.port(),
            Err(error) => panic!("the fault proxy has no address: {error}"),
        };
        let listening = Mutex::new(Some(listen(listener, shared.clone())));
        Self { port, shared, listening }
    }

    /// The address to give to the client under test.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds faults for the next requests, whatever their path.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script_for("", faults);
    }

    /// Adds faults for the next requests whose path with its query contains `part`. Of several
    /// scripts that match a request, the one that was begun first is taken from.
    pub fn script_for(&self, part: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.shared.lock();
        match state.scripts.iter_mut().find(|(known, _)| known == part) {
            Some((_, queue)) => queue.extend(faults),
            None => state.scripts.push((part.to_owned(), faults.into_iter().collect())),
        }
    }

    /// Has a function decide what is done to each request that no script is for. It is asked in
    /// the order in which requests arrive, and others wait for it.
    pub fn decide_with(&self, decide: impl FnMut(&SeenRequest) -> Fault + Send + 'static) {
        self.shared.lock().decider = Decider(Some(Box::new(decide)));
    }

    /// From now on forgets the body of a request once it is decided what is done to it, so that
    /// any number of them may pass.
    pub fn forget_bodies(&self) {
        self.shared.lock().forgets_bodies = true;
    }

    /// Adds faults for the next connections.
    pub fn script_connections(&self, faults: impl IntoIterator<Item = ConnectionFault>) {
        self.shared.lock().connection_script.extend(faults);
    }

    /// Stops listening and cuts every connection, as a node that is killed does: from now on
    /// connections are refused.
    pub async fn shut(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = listening {
            task.abort();
            // The port is free once the task was dropped, which happens when it is next polled.
            while !task.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Listens again, on the same port, after [`FaultProxy::shut`].
    ///
    /// # Panics
    /// When the port was taken in the meantime.
    pub async fn open(&self) {
        self.shut().await;
        let task = listen(bind(self.port).await, self.shared.clone());
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// The number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Every request so far whose path contains `part`, in the order of their arrival.
    #[must_use]
    pub fn requests(&self, part: &str) -> Vec<SeenRequest> {
        self.shared.lock().requests.iter().filter(|request| request.path.contains(part)).cloned().collect()
    }

    /// The number of received requests whose path contains `part`.
    #[must_use]
    pub fn seen(&self, part: &str) -> usize {
        self.requests(part).len()
    }

    /// The number of requests whose path contains `part` that the node has answered, whether the
    /// client learned of it or not.
    #[must_use]
    pub fn forwarded(&self, part: &str) -> usize {
        self.requests(part).iter().filter(|request| request.status.is_some()).count()
    }

    /// The numbers of refused and forwarded documents under [`Fault::RefuseItems`].
    #[must_use]
    pub fn items(&self) -> SeenItems {
        self.shared.lock().items
    }

    /// The number of unused scripted faults. A test that ends with some left did not
    /// test what it meant to.
    #[must_use]
    pub fn unused(&self) -> usize {
        let state = self.shared.lock();
        state.connection_script.len() + state.scripts.iter().map(|(_, queue)| queue.len()).sum::<usize>()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(task) = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bind(port: u16) -> TcpListener {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(error) => panic!("the fault proxy cannot listen: {error}"),
    }
}

/// Serves connections in tasks of its own, which end with it.
fn listen(listener: TcpListener, shared: Arc<Shared>) -> AbortHandle {
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let shared = shared.clone();
            connections.spawn(async move {
                // That a side hangs up is what this is for.
                let _ = exchange::serve(stream, &shared).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    task.abort_handle()
}

#[cfg(test)]
mod tests;
