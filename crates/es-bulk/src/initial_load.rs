//! Settings of an index while it is filled for the first time: no refreshes, no replicas; and
//! putting back what was there before, also after a failure or by a later process.

use std::future::Future;

use es_core::{Client, ForceMerge, RetryPolicy, Wait};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracing::warn;

use crate::error::{Error, ErrorKind};
use crate::load::BulkOptions;

const REFRESH_INTERVAL: &str = "refresh_interval";
const REPLICAS: &str = "number_of_replicas";

/// What is changed while an index is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialLoadOptions {
    /// Nothing is refreshed (`refresh_interval: -1`). Default: yes.
    pub without_refresh: bool,
    /// Documents are written once and copied when all are there (`number_of_replicas: 0`).
    /// Until then a lost disk is a lost index. Default: yes. Where the number of replicas
    /// follows the number of nodes (`auto_expand_replicas`) it stays as it is.
    pub without_replicas: bool,
}

impl Default for InitialLoadOptions {
    fn default() -> Self {
        Self { without_refresh: true, without_replicas: true }
    }
}

/// What is done when an index is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Merges each shard down to so many segments, while there are no replicas yet. Default:
    /// no merge.
    pub force_merge: Option<u32>,
    /// How long the merge is waited for.
    pub wait: Wait,
    /// How long and how often the requests are sent again, when every document is in the index
    /// and the server cannot be reached. Default: as documents are, see [`BulkOptions::retry`].
    pub retry: RetryPolicy,
}

impl Default for Finish {
    fn default() -> Self {
        Self { force_merge: None, wait: Wait::default(), retry: BulkOptions::default().retry }
    }
}

/// The settings that an index had; null is the default of Elasticsearch. A setting that is not
/// changed is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalSettings(Map<String, Value>);

/// An index that is being filled.
///
/// ```no_run
/// use es_bulk::{BulkLoader, BulkOptions, Error, Finish, InitialLoad, InitialLoadOptions};
/// # async fn example(client: es_core::Client, batches: Vec<es_bulk::Batch>) -> Result<(), Error> {
/// let filling = InitialLoad::of(&client, "flights", InitialLoadOptions::default()).await?;
/// // `filling.original()` can be stored here, for `InitialLoad::resume` after a kill.
/// let loader = BulkLoader::new(client, "flights", BulkOptions::default());
/// let input = futures::stream::iter(batches.into_iter().map(Ok));
/// let summary = filling.during(&Finish::default(), loader.load(input)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InitialLoad {
    client: Client,
    index: String,
    original: OriginalSettings,
    /// Whether the settings are changed and not yet put back.
    is_changed: bool,
}

impl InitialLoad {
    /// Remembers the settings of an index, and changes nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when there is no such index, or when the name is that of
    /// several.
    pub async fn of(client: &Client, index: &str, options: InitialLoadOptions) -> Result<Self, Error> {
        let found = client.indices().describe(index).await?;
        let [description] = found.as_slice() else {
            let message = format!("{index} stands for {} indices and must be one to be filled", found.len());
            return Err(Error::new(ErrorKind::Elasticsearch, message).with_help("create the index, or name one"));
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

    /// Carries on filling an index whose settings another process remembered.
    pub fn resume(client: &Client, index: &str, original: OriginalSettings) -> Self {
        Self { client: client.clone(), index: index.to_owned(), original, is_changed: false }
    }

    /// The settings that are put back. Stored before [`InitialLoad::begin`], they survive the
    /// process.
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

    /// Puts the settings back, as after a failure.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when the server refuses.
    pub async fn put_back(mut self) -> Result<(), Error> {
        self.restore().await
    }

    /// Makes the documents searchable: merges if asked to, puts the settings back, refreshes.
    /// The settings are put back also when the merge fails.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when any of these fails.
    pub async fn finish(mut self, finish: &Finish) -> Result<(), Error> {
        self.client = self.client.with_retry(finish.retry);
        let merged = match finish.force_merge {
            Some(segments) => {
                let merge = ForceMerge::ToSegments(segments);
                self.client.indices().force_merge(&self.index, merge, &finish.wait).await.map(|_| ())
            }
            None => Ok(()),
        };
        self.restore().await?;
        merged?;
        Ok(self.client.indices().refresh(&self.index).await?)
    }

    /// Fills the index by some work: changes the settings, works, and puts them back whether
    /// the work succeeds or fails.
    ///
    /// # Errors
    /// What the work failed with; else as [`InitialLoad::begin`] and [`InitialLoad::finish`].
    pub async fn during<T, E: From<Error>>(
        mut self,
        finish: &Finish,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let worked = match self.begin().await {
            Ok(()) => work.await,
            Err(error) => Err(error.into()),
        };
        match worked {
            Ok(done) => self.finish(finish).await.map(|()| done).map_err(E::from),
            Err(error) => {
                if let Err(second) = self.restore().await {
                    let settings = Value::Object(self.original.0.clone());
                    warn!(index = self.index, error = %second, %settings, "the settings of the index could not be put back");
                }
                Err(error)
            }
        }
    }

    async fn restore(&mut self) -> Result<(), Error> {
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
    /// Work that is dropped before its end leaves the settings to a task of its own, which is
    /// the best that can be done from here.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_changed {
            let (client, index, original) = (self.client.clone(), self.index.clone(), self.original.clone());
            runtime.spawn(async move {
                if let Err(error) = client.indices().put_settings(&index, &original.0).await {
                    warn!(index, %error, "the settings of the index could not be put back");
                }
            });
        }
    }
}
