//! `cargo xtask soak`: loads, exports and runs under injected faults, again and again.
//!
//! Each scenario injects one kind of fault, reads the result back from a node of this command's own,
//! and compares every document with its source. [`scenarios`] has the faults, [`mod@compare`] the
//! comparison; the fault proxy of `es-testing` breaks single exchanges.

mod compare;
mod concurrent_reader;
mod export;
mod generations;
mod load;
mod random;
mod report;
mod running;
mod scenarios;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use xtask::compile::ProgramArgs;
use xtask::es::OwnNode;
use xtask::{terminal, workspace};

use crate::fault_proxy::FaultProxy;
use crate::python::Python;
use crate::tools::Tools;
use compare::compare;
use load::Load;
use report::Row;
use source::Source;

/// The time limit for converting a file.
const CONVERT_LIMIT: Duration = Duration::from_secs(300);

/// The time limit for comparing an index with its file.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);

#[derive(Args)]
pub(crate) struct SoakArgs {
    /// Inject fewer faults: about five minutes
    #[arg(long)]
    short: bool,
    /// Repeat the random choices of another run; the timing of the loads still differs
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run only these scenarios, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// Run only the scenario `pairs`, with this number of rounds
    #[arg(long, value_name = "ROUNDS", conflicts_with = "only", value_parser = clap::value_parser!(u64).range(1..))]
    pairs: Option<u64>,
    #[command(flatten)]
    program: ProgramArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// The loading process is killed at random moments
    Kills,
    /// Most of the documents are answered 429 for a while
    RefusedItems,
    /// Replies are lost after the node has applied the request
    LostReplies,
    /// Elasticsearch is stopped and started
    Restarts,
    /// One document in a hundred is bad
    Poison,
    /// The exporting process is killed at random moments
    Export,
    /// Two processes run one pipeline, and one of them is killed at a random moment
    Pairs,
    /// The scoring process is killed at random moments
    Scoring,
}

/// The number of faults and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    kills: u64,
    refusing: Duration,
    losses: u64,
    restarts: u64,
    export_kills: u64,
    /// The rounds with two processes.
    pairs: u64,
    scoring_kills: u64,
    /// The documents of most loads.
    documents: u64,
    /// The documents of the loads that a restart of the node interrupts.
    long_documents: u64,
}

const LONG: Extent = Extent {
    kills: 200,
    refusing: Duration::from_secs(60),
    losses: 500,
    restarts: 20,
    export_kills: 50,
    pairs: 10,
    scoring_kills: 50,
    documents: 200_000,
    long_documents: 500_000,
};

const SHORT: Extent = Extent {
    kills: 6,
    refusing: Duration::from_secs(10),
    losses: 20,
    restarts: 2,
    export_kills: 5,
    pairs: 2,
    scoring_kills: 4,
    documents: 40_000,
    long_documents: 150_000,
};

/// The node, the programs and the settings of every scenario.
struct Soak {
    node: OwnNode,
    program: PathBuf,
    /// Built for the scenarios that need them.
    tools: Option<Tools>,
    python: Python,
    folder: PathBuf,
    extent: Extent,
    seed: u64,
}

pub(crate) fn run(args: &SoakArgs) -> Result<ExitCode> {
    let program = args.program.orchestrator()?;
    let needs_proxy = args.scenarios().into_iter().any(Scenario::needs_fault_proxy);
    let tools = if needs_proxy { Some(Tools::build(args.program.profile())?) } else { None };
    let folder = workspace::root().join("target/soak");
    workspace::empty_folder(&folder)?;
    let python_folder = workspace::root().join("target/bench");
    std::fs::create_dir_all(&python_folder)?;
    let python = Python::prepare(&python_folder)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let seed = args.seed.unwrap_or(now);
    terminal::show_only_results();
    let mut extent = if args.short { SHORT } else { LONG };
    extent.pairs = args.pairs.unwrap_or(extent.pairs);
    let mut soak = Soak { node: OwnNode::start()?, program, tools, python, folder, extent, seed };

    println!("\nElasticsearch {} at {}; repeat with --seed {seed}\n", soak.node.version(), soak.node.url());
    println!("{}", Row::heading());
    let mut rows = Vec::new();
    for scenario in args.scenarios() {
        let row = scenario.run(&mut soak);
        println!("{}", row.render());
        rows.push(row);
    }
    let path = soak.folder.join("soak.json");
    let figures = json!({ "elasticsearch": soak.node.version(), "seed": seed, "short": args.short, "scenarios": rows });
    std::fs::write(&path, serde_json::to_vec_pretty(&figures)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nthe figures are in {}", path.strip_prefix(workspace::root()).unwrap_or(&path).display());
    Ok(if rows.iter().all(Row::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl SoakArgs {
    fn scenarios(&self) -> Vec<Scenario> {
        match (self.pairs, self.only.is_empty()) {
            (Some(_), _) => vec![Scenario::Pairs],
            (None, true) => Scenario::value_variants().to_vec(),
            (None, false) => self.only.clone(),
        }
    }
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::RefusedItems => "refused items",
            Self::LostReplies => "lost replies",
            Self::Restarts => "restarts",
            Self::Poison => "poison",
            Self::Export => "export",
            Self::Pairs => "pairs",
            Self::Scoring => "scoring",
        }
    }

    fn needs_fault_proxy(self) -> bool {
        matches!(self, Self::RefusedItems | Self::LostReplies)
    }

    /// Runs the scenario to its end; an error is a problem of its row.
    fn run(self, soak: &mut Soak) -> Row {
        let started = Instant::now();
        let mut row = Row::new(self.name());
        let played = match self {
            Self::Kills => scenarios::kills::play(soak, &mut row),
            Self::RefusedItems => scenarios::refused_items::play(soak, &mut row),
            Self::LostReplies => scenarios::lost_replies::play(soak, &mut row),
            Self::Restarts => scenarios::restarts::play(soak, &mut row),
            Self::Poison => scenarios::poison::play(soak, &mut row),
            Self::Export => scenarios::export::play(soak, &mut row),
            Self::Pairs => scenarios::pairs::play(soak, &mut row),
            Self::Scoring => scenarios::scoring::play(soak, &mut row),
        };
        if let Err(error) = played {
            row.problems.push(format!("{error:#}"));
        }
        row.seconds = started.elapsed().as_secs();
        row
    }
}

/// The files of a source.
struct Files {
    source: Source,
    paths: Vec<PathBuf>,
}

impl Soak {
    /// Starts a fault proxy before the node.
    fn fault_proxy(&self) -> Result<FaultProxy> {
        let tools = self.tools.as_ref().context("the fault proxy was not built for this scenario")?;
        FaultProxy::start(&tools.fault_proxy, self.node.url())
    }

    /// Writes the documents of a source as NDJSON.
    fn ndjson(&self, name: &str, source: Source) -> Result<Files> {
        let folder = self.folder.join("data").join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Files { paths: source.write(&folder)?, source })
    }

    /// The same documents as Parquet.
    fn parquet(&self, files: &Files) -> Result<Files> {
        let convert = |path: &PathBuf| {
            let target = path.with_extension("parquet");
            self.python.run("convert.py", &[path.as_os_str(), target.as_os_str()], &[], CONVERT_LIMIT)?;
            Ok(target)
        };
        let paths = files.paths.iter().map(convert).collect::<Result<_>>()?;
        Ok(Files { source: files.source.clone(), paths })
    }

    /// A load into a new index of that name, from a folder of its own.
    fn load(&self, index: &str, files: &Files) -> Result<Load> {
        let folder = self.folder.join("loads").join(index);
        std::fs::create_dir_all(&folder)?;
        match self.node.client()?.put(&format!("/{index}"), &Source::index_body())? {
            (200, _) => {}
            (status, body) => bail!("cannot create the index {index}: {status}: {body}"),
        }
        Ok(Load {
            program: self.program.clone(),
            folder,
            files: files.paths.clone(),
            index: index.to_owned(),
            url: self.node.url().to_owned(),
            options: Vec::new(),
        })
    }

    /// Compares the index of a load with its source, and deletes it. Returns the number of its writes.
    fn settle(&self, load: &Load, source: &Source, row: &mut Row) -> Result<u64> {
        let client = self.node.client()?;
        let index = &load.index;
        let writes = writes(&client, index)?;
        let good = (0..source.documents).filter(|number| source.kind(*number) == source::Kind::Good).count() as u64;
        row.add(index, good, compare(&client, index, source)?);
        eprintln!("{}", row.so_far());
        let settings = client.get_ok(&format!("/{index}/_settings"))?;
        let (found, wanted) = (&settings[index]["settings"]["index"], &Source::index_body()["settings"]["index"]);
        for name in ["refresh_interval", "number_of_replicas"] {
            let (found, wanted) = (found[name].to_string(), wanted[name].to_string());
            row.require(found.trim_matches('"') == wanted.trim_matches('"'), || {
                format!("{index}: {name} is {found} after the load, expected {wanted} as before")
            });
        }
        client.delete(&format!("/{index}"))?;
        if row.holds() {
            // After a failure it helps to find the cause.
            std::fs::remove_dir_all(&load.folder)?;
        }
        Ok(writes)
    }
}

/// The number of writes to an index since the node started; a document written twice counts twice.
fn writes(client: &xtask::http::Client, index: &str) -> Result<u64> {
    let stats = client.get_ok(&format!("/{index}/_stats/indexing"))?;
    stats["_all"]["primaries"]["indexing"]["index_total"].as_u64().context("the node returns no count of writes")
}
