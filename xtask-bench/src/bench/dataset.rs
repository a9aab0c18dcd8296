//! The sets of data: a Parquet file, the index that it goes into, and how many
//! documents of it each candidate gets.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::session::Session;
use xtask::terminal::Progress;
use xtask::workspace;

/// The time limit for generating a file.
const GENERATE_LIMIT: Duration = Duration::from_secs(1200);

/// The flights of a year, from the workspace's root, and how many they are.
const FLIGHTS: &str = "examples/flights/data/flights.parquet";
const FLIGHTS_OF_A_YEAR: u64 = 336_776;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Dataset {
    Flights,
    Five,
    Forty,
    Vectors,
}

impl Dataset {
    pub(super) const ALL: [Self; 4] = [Self::Flights, Self::Five, Self::Forty, Self::Vectors];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Flights => "flights",
            Self::Five => "five",
            Self::Forty => "forty",
            Self::Vectors => "vectors",
        }
    }

    /// The description of its documents, for the table.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Flights => "flights of 2013, 19 fields, id of three columns",
            Self::Five => "generated, 5 fields",
            Self::Forty => "generated, 40 fields, every third with gaps",
            Self::Vectors => "generated, an id and a vector of 384 float32, stored and not indexed",
        }
    }

    /// The number of documents that the peers load; candidates are compared by their rates.
    fn peer_documents(self, documents: u64) -> u64 {
        match self {
            Self::Flights => documents,
            Self::Five | Self::Forty | Self::Vectors => documents.div_ceil(30),
        }
    }

    fn id(self) -> &'static str {
        match self {
            Self::Flights => "carrier,flight,time_hour",
            Self::Five | Self::Forty | Self::Vectors => "id",
        }
    }
}

/// A set of data that is there to be loaded.
pub(super) struct Source {
    pub(super) dataset: Dataset,
    pub(super) parquet: PathBuf,
    pub(super) documents: u64,
    pub(super) peer_documents: u64,
    /// The columns of the id, with commas between them.
    pub(super) id: &'static str,
    /// The mapping and the settings of the index that every candidate gets.
    pub(super) index_body: Value,
}

impl Source {
    /// Makes a file of so many documents, unless an earlier run has; the flights are as many as
    /// they are.
    pub(super) fn prepare(session: &Session, dataset: Dataset, documents: u64) -> Result<Self> {
        let folder = session.folder.join("data");
        std::fs::create_dir_all(&folder)?;
        let is_given = dataset == Dataset::Flights;
        let documents = if is_given { FLIGHTS_OF_A_YEAR } else { documents };
        let name = format!("{}-{documents}", dataset.as_str());
        let parquet = if is_given { workspace::root().join(FLIGHTS) } else { folder.join(format!("{name}.parquet")) };
        let index = folder.join(format!("{name}.json"));
        if !index.exists() || is_given {
            let progress = Progress::new(format!("{documents} documents of {}", dataset.as_str()));
            let count = documents.to_string();
            let arguments: [&OsStr; 4] =
                [dataset.as_str().as_ref(), count.as_ref(), parquet.as_os_str(), index.as_os_str()];
            // The index is written last, so that a file beside one is whole.
            session.python.run("generate.py", &arguments, &[], GENERATE_LIMIT)?;
            progress.finish("made");
        }
        let text = std::fs::read(&index).with_context(|| format!("cannot read {}", index.display()))?;
        Ok(Self {
            dataset,
            parquet,
            documents,
            peer_documents: dataset.peer_documents(documents),
            id: dataset.id(),
            index_body: serde_json::from_slice(&text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_loads_no_more_than_there_is() {
        for dataset in Dataset::ALL {
            for documents in [1, 10, 336_776] {
                let peer = dataset.peer_documents(documents);
                assert!((1..=documents).contains(&peer), "{} of {documents}", dataset.as_str());
            }
        }
        assert_eq!(Dataset::Five.peer_documents(3_000_000), 100_000);
    }
}
