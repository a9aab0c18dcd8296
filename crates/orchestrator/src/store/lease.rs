//! Leases: who works on which part of an asset, among all processes on all machines.
//!
//! A lease is a document in `{prefix}orchestrator-leases`, written by compare-and-set. Its holder
//! renews it; whoever wants it reads it and waits until it is released, or until it did not change
//! for the length of a lease, measured by its own clock from when it first saw that state. Clocks
//! of different machines are never compared. Each new holder gets the next fencing number, which is
//! checked again before anything is published: a holder that was paused for too long finds another
//! number there and publishes nothing.
//!
//! A holder on the same machine whose process is gone does not have to be waited for: the machine
//! and the process are identified by the boot id, the namespace of process ids and the start time
//! of the process, so that neither a reused process id nor a container with the same host name is
//! taken for it.
//!
//! The protocol is that of M. Burrows, "The Chubby lock service for loosely-coupled distributed
//! systems" (2006), sequencers included, over the optimistic concurrency control of Elasticsearch.

mod machine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use es_core::{Client, Document, ErrorKind as CoreKind, Precondition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::error::{Error, ErrorKind, Result};
use crate::store::create_hidden;
use machine::Process;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// A name of the process that no other process ever has.
    pub id: String,
    /// The run.
    pub run: String,
    /// The host name, for a person.
    pub host: String,
    /// The process, to tell whether it still exists where that can be told.
    pub process: Process,
    /// When it took the lease, by its own clock, for a person.
    pub since: Timestamp,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {} (process {} on {})", self.run, self.process.pid, self.host)
    }
}

/// The document of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseRecord {
    pipeline: String,
    part: String,
    /// The number of the newest holder.
    fence: u64,
    /// None once it is released.
    holder: Option<Holder>,
    /// Counts renewals, so that each changes the document.
    renewal: u64,
}

/// The leases of one pipeline, as one process sees them.
#[derive(Clone)]
pub struct Leases {
    client: Client,
    index: String,
    pipeline: String,
    length: Duration,
    me: Arc<Identity>,
    /// When each state of a lease of somebody else was first seen.
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
}

struct Identity {
    id: String,
    host: String,
    process: Process,
}

#[derive(Clone, Copy)]
struct Seen {
    version: (u64, u64),
    at: Instant,
}

/// The answer to a request for a lease.
pub enum Attempt {
    /// It is ours.
    Held(HeldLease),
    /// Somebody else has it.
    Taken(Holder),
}

impl Leases {
    /// The leases of a pipeline under a prefix. Nothing is written until the first is taken.
    pub fn new(client: Client, prefix: &str, pipeline: &str, length: Duration) -> Self {
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let me = Identity { id: uuid::Uuid::now_v7().to_string(), host, process: Process::this() };
        Self {
            client,
            index: format!("{prefix}orchestrator-leases"),
            pipeline: pipeline.to_owned(),
            length,
            me: Arc::new(me),
            seen: Arc::default(),
        }
    }

    /// Creates the index if there is none.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn prepare(&self) -> Result<()> {
        if self.client.indices().exists(&self.index).await? {
            return Ok(());
        }
        let mapping = serde_json::from_value(json!({
            "dynamic": false,
            "_meta": {"version": 1},
            "properties": {
                "pipeline": {"type": "keyword"}, "part": {"type": "keyword"}, "fence": {"type": "long"},
                "holder": {"properties": {"run": {"type": "keyword"}, "host": {"type": "keyword"}}}
            }
        }))
        .map_err(|error| Error::new(ErrorKind::Defect, format!("the mapping of leases: {error}")))?;
        create_hidden(&self.client, &self.index, mapping).await
    }

    /// Takes the lease of a part for a run, if it is free, released, or not renewed for its length.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn try_take(&self, part: &str, run: &str) -> Result<Attempt> {
        let key = self.id_of(part);
        let documents = self.client.documents(&self.index).without_refresh();
        let found: Option<Document<LeaseRecord>> = documents.get(&key).await?;
        let (fence, precondition) = match &found {
            None => (1, Precondition::Absent),
            Some(found) => {
                if let Some(holder) = found.source.holder.as_ref().filter(|_| !self.is_free(&key, found)) {
                    return Ok(Attempt::Taken(holder.clone()));
                }
                let version = Precondition::Unchanged { seq_no: found.seq_no, primary_term: found.primary_term };
                (found.source.fence + 1, version)
            }
        };
        let holder = Holder {
            id: self.me.id.clone(),
            run: run.to_owned(),
            host: self.me.host.clone(),
            process: self.me.process.clone(),
            since: Timestamp::now(),
        };
        let record = LeaseRecord {
            pipeline: self.pipeline.clone(),
            part: part.to_owned(),
            fence,
            holder: Some(holder.clone()),
            renewal: 0,
        };
        let asked = Instant::now();
        match documents.put(&key, &record, precondition).await {
            Ok(()) => {}
            // The answer to a first attempt may have been lost; who has it now is read below.
            Err(error) if error.kind() == CoreKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
        let Some(now) = documents.get::<LeaseRecord>(&key).await? else {
            return Err(Error::failed(format!("the lease of {part} is gone")).retryable(true));
        };
        match &now.source.holder {
            Some(current) if *current == holder => {
                debug!(part, fence, "took a lease");
                Ok(Attempt::Held(HeldLease::start(self.clone(), key, now, asked)))
            }
            Some(current) => Ok(Attempt::Taken(current.clone())),
            // Taken and released again since: the next attempt finds it free.
            None => Ok(Attempt::Taken(holder)),
        }
    }

    fn id_of(&self, part: &str) -> String {
        format!("{}|{part}", self.pipeline)
    }

    /// Returns whether the holder of a lease no longer counts: its process is known to be gone, or
    /// the lease did not change for its length.
    fn is_free(&self, key: &str, found: &Document<LeaseRecord>) -> bool {
        let Some(holder) = &found.source.holder else { return true };
        if holder.process.is_known_to_be_gone(&self.me.process) {
            info!(lease = key, %holder, "taking over from a process that is gone");
            return true;
        }
        let version = (found.seq_no, found.primary_term);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let state = seen.entry(key.to_owned()).or_insert(Seen { version, at: Instant::now() });
        if state.version != version {
            *state = Seen { version, at: Instant::now() };
        }
        let is_expired = state.at.elapsed() >= self.length;
        if is_expired {
            info!(lease = key, %holder, "taking over from a holder that stopped renewing");
        }
        is_expired
    }
}

/// A lease that is held, and renewed in the background until it is released or dropped.
pub struct HeldLease {
    state: Arc<HeldState>,
    renewing: AbortOnDropHandle<()>,
}

struct HeldState {
    leases: Leases,
    key: String,
    fence: u64,
    lost: CancellationToken,
    /// One writer at a time: a renewal and a check must not race each other.
    document: tokio::sync::Mutex<Held>,
}

struct Held {
    document: Document<LeaseRecord>,
    /// The moment before the newest successful write was sent: the lease surely holds for its
    /// length from here.
    renewed: Instant,
}

impl HeldLease {
    fn start(leases: Leases, key: String, document: Document<LeaseRecord>, asked: Instant) -> Self {
        let state = Arc::new(HeldState {
            fence: document.source.fence,
            leases,
            key,
            lost: CancellationToken::new(),
            document: tokio::sync::Mutex::new(Held { document, renewed: asked }),
        });
        let renewing = AbortOnDropHandle::new(tokio::spawn(keep_renewing(state.clone())));
        Self { state, renewing }
    }

    /// The fencing number: higher than that of every holder before.
    pub fn fence(&self) -> u64 {
        self.state.fence
    }

    /// Cancelled when the lease is lost: what is built under it must not be published.
    pub fn lost(&self) -> &CancellationToken {
        &self.state.lost
    }

    /// Renews the lease by compare-and-set, right before something is published.
    ///
    /// # Errors
    /// [`ErrorKind::LeaseLost`] when another process has taken it over, or it could not be renewed
    /// in time.
    pub async fn check(&self) -> Result<()> {
        match self.state.renew().await {
            Ok(()) => Ok(()),
            Err(error) => {
                if error.kind() == ErrorKind::LeaseLost {
                    self.state.lost.cancel();
                }
                Err(error)
            }
        }
    }

    /// Gives the lease back, so that the next one need not wait.
    pub async fn release(self) {
        drop(self.renewing);
        if self.state.lost.is_cancelled() {
            return;
        }
        let mut held = self.state.document.lock().await;
        if let Err(error) = self.state.write(&mut held, None).await {
            debug!(lease = self.state.key, %error, "a lease is left to expire");
        }
    }
}

impl HeldState {
    async fn renew(&self) -> Result<()> {
        if self.lost.is_cancelled() {
            return Err(self.lost_error("it could not be renewed in time"));
        }
        let mut held = self.document.lock().await;
        let holder = held.document.source.holder.clone();
        self.write(&mut held, holder).await
    }

    /// Writes the next state of the lease, if nobody else has changed it.
    async fn write(&self, held: &mut Held, holder: Option<Holder>) -> Result<()> {
        let before = &held.document;
        let record = LeaseRecord { holder, renewal: before.source.renewal + 1, ..before.source.clone() };
        let precondition = Precondition::Unchanged { seq_no: before.seq_no, primary_term: before.primary_term };
        let documents = self.leases.client.documents(&self.leases.index).without_refresh();
        let asked = Instant::now();
        let written = documents.put(&self.key, &record, precondition).await;
        if let Err(error) = &written
            && error.kind() != CoreKind::Conflict
            && !error.is_retryable()
        {
            return Err(Error::failed(format!("the lease cannot be renewed: {error}")).with_help(error.help()));
        }
        // After a conflict or a lost answer the document says whether the write was made.
        let now: Option<Document<LeaseRecord>> = documents.get(&self.key).await?;
        match now {
            Some(now) if now.source == record => {
                *held = Held { document: now, renewed: asked };
                Ok(())
            }
            Some(now) if now.source == held.document.source => {
                Err(Error::failed("the lease could not be renewed").retryable(true))
            }
            Some(now) => {
                let by = now.source.holder.map(|holder| holder.to_string()).unwrap_or_else(|| "nobody".to_owned());
                Err(self.lost_error(&format!("{by} has it now")))
            }
            None => Err(self.lost_error("it was removed")),
        }
    }

    fn lost_error(&self, why: &str) -> Error {
        Error::new(ErrorKind::LeaseLost, format!("the lease of {} was lost: {why}", self.key))
            .with_help(Some("nothing of it was published; the run that has the lease does the work"))
    }
}

/// Renews a lease three times in its length; gives it up before anybody else may take it.
async fn keep_renewing(state: Arc<HeldState>) {
    let length = state.leases.length;
    loop {
        tokio::time::sleep(length / 3).await;
        let renewed = tokio::time::timeout(length / 3, state.renew()).await;
        let error = match renewed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => Error::failed("no answer came in time").retryable(true),
        };
        let age = match state.document.try_lock() {
            Ok(held) => held.renewed.elapsed(),
            Err(_) => length,
        };
        warn!(lease = state.key, %error, "a lease was not renewed");
        if error.kind() == ErrorKind::LeaseLost || age + length / 3 >= length {
            state.lost.cancel();
            return;
        }
    }
}
