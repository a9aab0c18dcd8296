//! `cargo xtask bench partitions`: a partitioned asset beside a load of the same file.
//!
//! `orchestrator run departures` loads the flights of 2013 into an index for each month, checks and
//! publishes them; `orchestrator ingest` loads the same file into one index with the same mapping and
//! settings. Both are whole processes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use xtask::example;
use xtask::workspace::empty_folder;

use super::CommonArgs;
use super::measure::{Job, Measured, measure};
use super::pair::{Pair, Side};
use super::session::Session;

/// The asset, and the columns of its document id.
const ASSET: &str = "departures";
const ID: &str = "carrier,flight,time_hour";

const DOCUMENTS: u64 = 336_776;

/// The time limit for comparing an index with the file.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    Session::with(args, |session| {
        let folder = session.folder.join("partitions");
        let mut work = Work { session, program: &program, project: folder.join("project"), folder, index_body: None };
        example::copy_to(&work.project, |pipeline| Ok(pipeline.to_owned()))?;
        // The index of `ingest` is created with the mapping and settings of a partition.
        work.keep_index_body()?;
        let pair = Pair { work: "flights by month".into(), documents: DOCUMENTS, names: ["run departures", "ingest"] };
        let comparison = pair.compare(args.rounds, |side, number| work.iterate(side, number))?;
        println!("\n{}\non Elasticsearch {}", comparison.render(), session.cluster.version()?);
        session.keep_figures("partitions.json", &serde_json::to_vec_pretty(&comparison)?)
    })
}

struct Work<'a> {
    session: &'a Session,
    program: &'a Path,
    folder: PathBuf,
    /// The copy of the example.
    project: PathBuf,
    index_body: Option<Value>,
}

impl Work<'_> {
    fn keep_index_body(&mut self) -> Result<()> {
        let prefix = format!("{}body-", self.session.cluster.prefix());
        self.run_asset(&prefix)?;
        self.index_body = Some(self.session.cluster.index_body(&prefix)?);
        self.session.cluster.clean_up()
    }

    fn iterate(&self, side: Side, number: u32) -> Result<(f64, Measured)> {
        self.session.cluster.wait_for_merges()?;
        let prefix = format!("{}{number}-", self.session.cluster.prefix());
        let measured = match side {
            Side::First => {
                let measured = self.run_asset(&prefix)?;
                self.verify(&["months".as_ref(), self.source().as_os_str(), format!("{prefix}{ASSET}").as_ref()])?;
                measured
            }
            Side::Second => {
                let index = format!("{prefix}ingest");
                let measured = self.ingest(&index)?;
                let documents = DOCUMENTS.to_string();
                let source = self.source();
                self.verify(&["documents".as_ref(), source.as_os_str(), index.as_ref(), documents.as_ref()])?;
                measured
            }
        };
        self.session.cluster.clean_up()?;
        Ok((measured.wall_seconds, measured))
    }

    fn run_asset(&self, prefix: &str) -> Result<Measured> {
        let arguments: [&OsStr; 5] =
            ["-q".as_ref(), "-C".as_ref(), self.project.as_os_str(), "run".as_ref(), ASSET.as_ref()];
        self.measure("run", &arguments, Some(prefix))
    }

    fn ingest(&self, index: &str) -> Result<Measured> {
        // A checkpoint of an earlier load would shorten this one.
        let folder = self.folder.join("ingest");
        empty_folder(&folder)?;
        let body = self.index_body.as_ref().context("the mapping of the partitions is not known")?;
        self.session.cluster.create(index, body)?;
        let source = self.source();
        let arguments: [&OsStr; 9] = [
            "-q".as_ref(),
            "-C".as_ref(),
            folder.as_os_str(),
            "ingest".as_ref(),
            source.as_os_str(),
            "--to".as_ref(),
            index.as_ref(),
            "--id".as_ref(),
            ID.as_ref(),
        ];
        self.measure("ingest", &arguments, None)
    }

    fn measure(&self, name: &str, arguments: &[&OsStr], prefix: Option<&str>) -> Result<Measured> {
        let arguments = std::iter::once(self.program.as_os_str()).chain(arguments.iter().copied()).collect();
        let variables = prefix.map(|prefix| ("ELASTICSEARCH_INDEX_PREFIX", prefix));
        let variables = self.session.variables().chain(variables).collect();
        measure(&self.session.python, &Job { arguments, variables, folder: &self.folder, name: name.to_owned() })
    }

    fn verify(&self, arguments: &[&OsStr]) -> Result<()> {
        let variables: Vec<(&str, &str)> = self.session.variables().collect();
        self.session.python.run("verify.py", arguments, &variables, VERIFY_LIMIT).map(drop)
    }

    fn source(&self) -> PathBuf {
        self.project.join("data/flights.parquet")
    }
}
