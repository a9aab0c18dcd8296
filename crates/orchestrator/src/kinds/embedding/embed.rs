//! Pages of documents as they pass: texts are divided, passages whose text has no vector yet are embedded, and
//! become documents.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use es_bulk::{FrameInput, RefusedRow};
use es_serving::embedding::{Chunker, Embedder, Purpose, TextVector};
use futures::{Stream, StreamExt as _};
use polars::prelude::{DataFrame, PlSmallStr, PolarsError};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::earlier::{Earlier, Known};
use super::passages::{Origin, Passages};
use super::template::TextSource;
use crate::error::{Error, ErrorKind, Result};

/// The pages that are divided, embedded and loaded at the same time.
const PAGES: usize = 2;

/// The texts that the model is given in one call, between which a stop is noticed.
const TEXTS: usize = 1024;

/// The bytes of vectors that are kept for texts which come again in the same run.
const KEPT: usize = 64 << 20;

/// A model with what it needs to embed documents.
pub(super) struct Worker {
    pub(super) embedder: Embedder,
    pub(super) chunker: Chunker,
    pub(super) text: TextSource,
    /// The columns of documents that their passages have as well.
    pub(super) kept: Vec<PlSmallStr>,
    pub(super) dims: usize,
    pub(super) origin: Origin,
    pub(super) earlier: Option<Earlier>,
    pub(super) cancel: CancellationToken,
    pub(super) counts: Counts,
    /// Vectors of this run, as far as there is room for them.
    pub(super) seen: Mutex<Known>,
}

/// The numbers of a build.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Documents without a text.
    pub(super) without_text: AtomicU64,
    /// Texts that the model was given.
    pub(super) embedded: AtomicU64,
    /// Passages with a vector that there was already.
    pub(super) copied: AtomicU64,
}

impl Worker {
    /// Embeds frames, and gives their passages in the order of the frames.
    pub(super) fn stream(
        self: Arc<Self>,
        frames: impl Stream<Item = Result<DataFrame>> + Send,
    ) -> impl Stream<Item = Result<FrameInput>> + Send {
        frames
            .map(move |frame| {
                let worker = self.clone();
                async move { worker.page(frame?).await }
            })
            .buffered(PAGES)
    }

    async fn page(self: Arc<Self>, documents: DataFrame) -> Result<FrameInput> {
        let worker = self.clone();
        let passages =
            blocking(move || Passages::of(&documents, &worker.text, &worker.kept, &worker.chunker).map_err(failed))
                .await?;
        self.counts.without_text.fetch_add(passages.without_text, Ordering::Relaxed);
        let mut known = self.earlier(&passages).await?;
        let reasons = {
            // One page after the other, so that a text which is in both is embedded once.
            let mut seen = self.seen.lock().await;
            for one in &passages.of {
                if let Some(vector) = seen.get(&one.hash) {
                    known.insert(one.hash.clone(), vector.clone());
                }
            }
            let missing = missing(&passages, &known);
            let copied = passages.of.len() - missing.len();
            self.counts.copied.fetch_add(copied as u64, Ordering::Relaxed);
            let reasons = self.embed(&passages, &missing, &mut known).await?;
            self.keep(&passages, &missing, &known, &mut seen);
            reasons
        };
        let worker = self.clone();
        blocking(move || worker.assemble(passages, &known, &reasons)).await
    }

    /// The vectors that the generation before has of the texts of passages.
    async fn earlier(&self, passages: &Passages) -> Result<Known> {
        let mut known = Known::new();
        if let Some(earlier) = &self.earlier {
            let mut asked = HashSet::new();
            let hashes = passages.of.iter().map(|one| one.hash.as_str());
            let hashes: Vec<&str> = hashes.filter(|hash| asked.insert(*hash)).collect();
            earlier.find(&hashes, &mut known).await?;
            known.retain(|_, vector| vector.len() == self.dims);
        }
        Ok(known)
    }

    /// Embeds texts, each once, and returns the reasons for which passages are rejected, by their checksum.
    async fn embed(
        &self,
        passages: &Passages,
        missing: &[usize],
        known: &mut Known,
    ) -> Result<HashMap<String, Arc<str>>> {
        let mut reasons = HashMap::new();
        for batch in missing.chunks(TEXTS) {
            let texts: Vec<&str> = batch.iter().map(|place| passages.of[*place].passage.text.as_str()).collect();
            let embedded = tokio::select! {
                embedded = self.embedder.embed(&texts, Purpose::Passage) => embedded?,
                () = self.cancel.cancelled() => {
                    return Err(Error::new(ErrorKind::Interrupted, "interrupted while texts were embedded"));
                }
            };
            self.counts.embedded.fetch_add(texts.len() as u64, Ordering::Relaxed);
            let unknown = embedded.iter().filter(|one| matches!(one, TextVector::Unknown(_))).count();
            for (place, outcome) in batch.iter().zip(embedded.iter()) {
                let hash = &passages.of[*place].hash;
                match outcome {
                    TextVector::Vector(vector) if vector.len() == self.dims => {
                        known.insert(hash.clone(), vector.into());
                    }
                    TextVector::Vector(vector) => {
                        let message =
                            format!("the model gave a vector of {} numbers after those of {}", vector.len(), self.dims);
                        return Err(Error::failed(message));
                    }
                    TextVector::Rejected(reason) => {
                        reasons.insert(hash.clone(), reason.clone());
                    }
                    TextVector::Unknown(reason) => {
                        let message = format!("{unknown} texts have no answer of the server: {reason}");
                        return Err(Error::failed(message).retryable(true));
                    }
                }
            }
        }
        Ok(reasons)
    }

    /// Keeps vectors for texts that come again, as long as there is room.
    fn keep(&self, passages: &Passages, missing: &[usize], known: &Known, seen: &mut Known) {
        let most = KEPT / (self.dims.max(1) * size_of::<f32>());
        for place in missing {
            if seen.len() >= most {
                return;
            }
            let hash = &passages.of[*place].hash;
            if let Some(vector) = known.get(hash) {
                seen.insert(hash.clone(), vector.clone());
            }
        }
    }

    fn assemble(&self, passages: Passages, known: &Known, reasons: &HashMap<String, Arc<str>>) -> Result<FrameInput> {
        let vectors: Vec<Option<Arc<[f32]>>> = passages.of.iter().map(|one| known.get(&one.hash).cloned()).collect();
        let frame = passages.documents(&vectors, self.dims, &self.origin).map_err(failed)?;
        let mut refused = passages.refused;
        let rejected = passages.of.iter().filter_map(|one| {
            let reason = reasons.get(&one.hash)?;
            Some(RefusedRow { row: one.number, text: one.describe(), reason: reason.to_string() })
        });
        refused.extend(rejected);
        refused.sort_by_key(|row| row.row);
        Ok(FrameInput { frame, refused })
    }
}

/// The places of passages whose texts have no vector yet, each text once.
fn missing(passages: &Passages, known: &Known) -> Vec<usize> {
    let mut asked: HashSet<&str> = HashSet::new();
    let hashes = passages.of.iter().map(|one| one.hash.as_str()).enumerate();
    hashes.filter(|(_, hash)| !known.contains_key(*hash) && asked.insert(hash)).map(|(place, _)| place).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::defect("dividing texts", &error))?
}

/// A page that Polars does not take.
pub(super) fn failed(error: PolarsError) -> Error {
    Error::failed(format!("a page of documents cannot be embedded: {error}"))
}
