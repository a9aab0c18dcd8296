//! The settings of an index while it is filled for the first time: no refreshes, no replicas. They
//! are restored afterwards, also after a failure, a dropped load, or by a later process.

use std::future::Future;
use std::time::Duration;

use es_core::{Client, ForceMerge, RetryPolicy, Wait};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::{Error, ErrorKind};
use crate::options::BulkOptions;

const REFRESH_INTERVAL: &str = "refresh_interval";
const REPLICAS: &str = "number_of_replicas";

/// The time that cancelled work has to end by itself.
const CANCELLATION_GRACE: Duration = Duration::from_secs(30);

/// The settings that are changed while an index is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialLoadOptions {
    /// Turns refreshes off (`refresh_interval: -1`). Default: yes.
    pub without_refresh: bool,
    /// Writes documents once and copies them when all are there (`number_of_replicas: 0`).
    /// Until then a lost disk is a lost index. Default: yes. An index whose number of replicas
    /// follows the number of nodes (`auto_expand_replicas`) keeps them.
    pub without_replicas: bool,
}

impl Default for InitialLoadOptions {
    fn default() -> Self {
        Self { without_refresh: true, without_replicas: true }
    }
}

/// The last steps of filling an index; see also [`BulkOptions::finish`].
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Merges each shard down to this many segments, while there are no replicas yet. Default:
    /// no merge.
    pub force_merge: Option<u32>,
    /// The limits of waiting for the merge.
    pub wait: Wait,
    /// The limits of sending the requests again, when every document is in the index and the
    /// server cannot be reached. Default: as for documents, see [`BulkOptions::retry`].
    pub retry: RetryPolicy,
}

impl Default for Finish {
    fn default() -> Self {
        Self { force_merge: None, wait: Wait::default(), retry: BulkOptions::default().retry }
    }
}

/// The settings that an index had; null is the default of Elasticsearch. A setting that is not
/// changed is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalSettings(Map<String, Value>);

/// An index that is being filled.
///
/// Work that is dropped before its end leaves restoring the settings to a task in the background;
/// at the end of `main`, `Client::settle` waits for it.
///
/// ```no_run
/// use es_bulk::{BulkLoader, BulkOptions, Error, Finish, InitialLoad, InitialLoadOptions};
/// # async fn example(client: es_core::Client, batches: Vec<es_bulk::Batch>) -> Result<(), Error> {
/// let filling = InitialLoad::new(&client, "flights", InitialLoadOptions::default()).await?;
/// // `filling.original()` can be stored here, for `InitialLoad::resume` after a kill.
/// let loader = BulkLoader::new(client, "flights", BulkOptions::default());
/// let summary = filling.during(Finish::default(), loader.load_batches(batches)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InitialLoad {
    client: Client,
    index: String,
    original: OriginalSettings,
    /// The settings are changed and not restored yet.
    is_changed: bool,
}

impl InitialLoad {
    /// Reads the settings of an index, and changes nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when there is no such index, or when the name is that of
    /// several.
    pub async fn new(client: &Client, index: &str, options: InitialLoadOptions) -> Result<Self, Error> {
        let found = client.indices().describe(index).await?;
        let [description] = found.as_slice() else {
            let message = format!("{index} stands for {} indices, and an initial load fills exactly one", found.len());
            return Err(
                Error::new(ErrorKind::Elasticsearch, message).with_help("create the index, or name a single one")
            );
        };
        let settings = description.index_settings();
        let mut original = Map::new();
        let mut remember = |name: &str| {
            original.insert(name.to_owned(), settings.get(name).cloned().unwrap_or(Value::Null));
        };
        if options.without_refresh {
            remember(REFRESH_INTERVAL);
        }
        let expands =
            settings.get("auto_expand_replicas").is_some_and(|value| value != "false" && *value != json!(false));
        if options.without_replicas && !expands {
            remember(REPLICAS);
        }
        Ok(Self::resume(client, &description.name, OriginalSettings(original)))
    }

    /// Resumes filling an index whose original settings another process stored.
    pub fn resume(client: &Client, index: &str, original: OriginalSettings) -> Self {
        Self { client: client.clone(), index: index.to_owned(), original, is_changed: false }
    }

    /// The settings that will be restored. Store them before [`InitialLoad::begin`], and they
    /// survive the process.
    pub fn original(&self) -> &OriginalSettings {
        &self.original
    }

    /// Changes the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when the server refuses.
    pub async fn begin(&mut self) -> Result<(), Error> {
        let filling = |name: &str| if name == REFRESH_INTERVAL { json!("-1") } else { json!(0) };
        let settings: Map<String, Value> = self.original.0.keys().map(|name| (name.clone(), filling(name))).collect();
        // From here on they may be changed, whatever the answer.
        self.is_changed = true;
        self.put(&settings).await
    }

    /// Restores the settings, as after a failure.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when the server refuses.
    pub async fn restore(mut self) -> Result<(), Error> {
        self.restore_settings().await
    }

    /// Makes the documents searchable: merges if asked to, restores the settings, refreshes. The
    /// settings are restored also when the merge fails.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when any of these fails.
    pub async fn finish(mut self, finish: Finish) -> Result<(), Error> {
        self.client = self.client.with_retry(finish.retry);
        let merged = match finish.force_merge {
            Some(segments) => {
                let merge = ForceMerge::ToSegments(segments);
                self.client.indices().force_merge(&self.index, merge, &finish.wait).await.map(|_| ())
            }
            None => Ok(()),
        };
        self.restore_settings().await?;
        merged?;
        Ok(self.client.indices().refresh(&self.index).await?)
    }

    /// Fills the index by some work: changes the settings, works, and restores them whether the
    /// work succeeds or fails.
    ///
    /// # Errors
    /// The error of the work; else as [`InitialLoad::begin`] and [`InitialLoad::finish`].
    pub async fn during<T, E: From<Error>>(
        mut self,
        finish: Finish,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let worked = match self.begin().await {
            Ok(()) => work.await,
            Err(error) => Err(error.into()),
        };
        match worked {
            Ok(done) => self.finish(finish).await.map(|()| done).map_err(E::from),
            Err(error) => {
                self.restore_after_failure().await;
                Err(error)
            }
        }
    }

    /// Fills the index by some work, as [`InitialLoad::during`] does, until the token is
    /// cancelled. Work that has the same token
    /// ([`with_cancellation`](crate::BulkLoader::with_cancellation)) gets 30 seconds to settle
    /// what is in flight, and its result is returned; the settings are then restored without a
    /// merge or a refresh.
    ///
    /// # Errors
    /// As [`InitialLoad::during`]; [`ErrorKind::Cancelled`] when the work did not end in time
    /// and was dropped.
    pub async fn during_until<T, E: From<Error>>(
        mut self,
        finish: Finish,
        cancel: &CancellationToken,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let too_late = async {
            cancel.cancelled().await;
            tokio::time::sleep(CANCELLATION_GRACE).await;
        };
        let worked = match self.begin().await {
            Ok(()) => tokio::select! {
                biased;
                worked = work => worked,
                () = too_late => {
                    Err(Error::new(ErrorKind::Cancelled, format!("filling {} was cancelled", self.index)).into())
                }
            },
            Err(error) => Err(error.into()),
        };
        match worked {
            Ok(done) if cancel.is_cancelled() => self.restore().await.map(|()| done).map_err(E::from),
            Ok(done) => self.finish(finish).await.map(|()| done).map_err(E::from),
            Err(error) => {
                self.restore_after_failure().await;
                Err(error)
            }
        }
    }

    /// Restores the settings after an error that matters more than another one.
    async fn restore_after_failure(&mut self) {
        if let Err(error) = self.restore_settings().await {
            let settings = Value::Object(self.original.0.clone());
            warn!(index = self.index, %error, %settings, "the settings of the index could not be restored");
        }
    }

    async fn restore_settings(&mut self) -> Result<(), Error> {
        self.put(&self.original.0).await?;
        self.is_changed = false;
        Ok(())
    }

    async fn put(&self, settings: &Map<String, Value>) -> Result<(), Error> {
        if settings.is_empty() {
            return Ok(());
        }
        Ok(self.client.indices().put_settings(&self.index, settings).await?)
    }
}

impl Drop for InitialLoad {
    fn drop(&mut self) {
        if !self.is_changed {
            return;
        }
        let (client, index, original) = (self.client.clone(), self.index.clone(), self.original.clone());
        self.client.finish_later(async move {
            if let Err(error) = client.indices().put_settings(&index, &original.0).await {
                warn!(index, %error, "the settings of the index could not be restored");
            }
        });
    }
}
