//! The shards of some indices, with their sizes.

use elasticsearch::cat::CatShardsParts;
use serde::Deserialize;

use super::Cluster;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// One copy of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The index.
    pub index: String,
    /// The number of the shard.
    pub number: u32,
    /// `true` for the primary.
    pub primary: bool,
    /// `STARTED`, `UNASSIGNED`, `INITIALIZING` or `RELOCATING`.
    pub state: String,
    /// The number of its documents; `None` where it is not started.
    pub documents: Option<u64>,
    /// Its size in bytes; `None` where it is not started.
    pub bytes: Option<u64>,
}

/// A list of shards, and their total number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardList {
    /// The first shards, by index and number, primaries first.
    pub shards: Vec<Shard>,
    /// The total number, including those left out of the list.
    pub total: usize,
}

#[derive(Deserialize)]
struct Row {
    index: String,
    shard: String,
    prirep: String,
    state: String,
    docs: Option<String>,
    store: Option<String>,
}

impl Row {
    fn read(self) -> Result<Shard, Error> {
        let number = |text: &str| {
            text.parse::<u64>().map_err(|_| {
                Error::new(ErrorKind::Decode, format!("{text:?}, of a shard of {}, is not a number", self.index))
            })
        };
        Ok(Shard {
            number: number(&self.shard)?.try_into().unwrap_or(u32::MAX),
            primary: self.prirep == "p",
            documents: self.docs.as_deref().map(number).transpose()?,
            bytes: self.store.as_deref().map(number).transpose()?,
            state: self.state,
            index: self.index,
        })
    }
}

impl Cluster<'_> {
    /// Lists the shards of the indices that a name or pattern matches, hidden ones included, up to
    /// `most` of them. A name without an index has none.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege and the index privilege
    /// `monitor`.
    pub async fn shards(&self, pattern: &str, most: usize) -> Result<ShardList, Error> {
        let request = Request::new(Method::Get, CatShardsParts::Index(&[pattern]).url())
            .query("format", "json")
            .query("bytes", "b")
            .query("h", "index,shard,prirep,state,docs,store")
            .query("s", "index,shard,prirep");
        let mut rows: Vec<Row> = match self.get(request).await {
            Ok(response) => response.json()?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let total = rows.len();
        rows.truncate(most);
        Ok(ShardList { shards: rows.into_iter().map(Row::read).collect::<Result<_, _>>()?, total })
    }
}
