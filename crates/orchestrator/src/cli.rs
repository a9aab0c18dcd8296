//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::terminal::logging::LogFormat;

/// Keeps machine learning assets on Elasticsearch up to date.
///
/// A pipeline file says which assets there are: indices made of files, features computed
/// by aggregations, training sets, monitors. `plan` shows what a run would do and why,
/// `run` does it. A failed or interrupted run leaves readers on what they had.
///
/// Exit codes: 0 done; 1 a run, or a check of `doctor`, failed; 2 usage or configuration;
/// 3 a check or a monitor failed; 4 a monitor could not be measured; 130 interrupted, after
/// what was under way was settled.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, max_term_width = 100)]
pub struct Cli {
    /// Folder of the pipeline file.
    #[arg(short = 'C', long = "directory", value_name = "DIR", default_value = ".", global = true)]
    pub directory: PathBuf,

    /// Pipeline file, from that folder.
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = crate::project::PIPELINE_FILE, global = true)]
    pub file: PathBuf,

    /// Environment of the pipeline file whose settings to take.
    #[arg(long = "env", value_name = "NAME", global = true)]
    pub environment: Option<String>,

    /// Write events to standard output, one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,

    /// Log more: what is done (-v), details (-vv), everything (-vvv).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Write results and failures only.
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,

    /// Form of log lines.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, global = true)]
    pub log_format: LogFormat,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small pipeline to start from.
    Init {
        /// Folder to write to.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check the pipeline file and the settings, offline.
    Validate,
    /// Find out what is wrong between here and the cluster, and what to do.
    ///
    /// Looks at the way to each node, TLS, version, licence, privileges, health, disks, shards
    /// and mappings, and changes nothing. Without a pipeline file it takes the environment.
    /// Ends with 0 when nothing fails, warnings or not, and with 1 when something does.
    Doctor {
        /// Print the role with the fewest privileges that the pipeline runs with, offline.
        #[arg(long)]
        role: bool,

        /// Index, alias or pattern outside the prefix that others write and you read; several
        /// with commas.
        #[arg(long, value_name = "INDEX", value_delimiter = ',')]
        source: Vec<String>,
    },
    /// Load files into an index, without a pipeline.
    ///
    /// Creates the index if there is none, with a mapping of what the files hold. Every document
    /// ends as acknowledged, rejected with its reason in a dead letter, or unknown. A load that
    /// was cut off carries on where it was when the same command is given again.
    Ingest(IngestArgs),
    /// Show what a run would do, and why.
    Plan(ScopeArgs),
    /// Bring assets up to date.
    Run(ScopeArgs),
    /// Run checks and monitors on what is published, and change nothing else.
    Check {
        /// Assets, such as `departures`, `+training_set`, `kind:monitor`.
        select: Option<String>,
    },
    /// Show the state of each asset.
    Status {
        /// Assets, such as `departures`, `+training_set`, `kind:monitor`.
        select: Option<String>,
    },
    /// Show the history of runs, or one run.
    Runs {
        /// The run.
        id: Option<String>,
        /// How many records to show at most.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Show which asset needs which.
    Graph {
        /// Form of the picture.
        #[arg(long, value_enum, default_value_t)]
        format: GraphFormat,
    },
    /// Print the JSON Schema of the pipeline file.
    Schema,
    /// Print shell completions.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print a generated reference.
    #[command(hide = true)]
    Reference {
        /// Which one.
        #[arg(value_enum)]
        which: ReferencePage,
    },
}

/// Which assets and partitions are meant.
#[derive(Debug, Args)]
pub struct ScopeArgs {
    /// Assets: `name`, `+name` (with what it needs), `name+` (with what needs it),
    /// `kind:features`, `tag:x`, `state:changed`, `state:failed`, or several with commas.
    /// All without it.
    pub select: Option<String>,

    /// One partition, such as 2013-06.
    #[arg(long, value_name = "P", conflicts_with_all = ["from", "to"])]
    pub partition: Option<String>,

    /// Partitions from this one or this time on.
    #[arg(long, value_name = "A")]
    pub from: Option<String>,

    /// Partitions before this one or this time.
    #[arg(long, value_name = "B")]
    pub to: Option<String>,

    /// Make everything selected anew, up to date or not.
    #[arg(long)]
    pub full_refresh: bool,
}

/// What is loaded, where to, and how.
#[derive(Clone, Debug, Args)]
pub struct IngestArgs {
    /// Files, folders or patterns; `-` for standard input. CSV and NDJSON may be compressed
    /// with gzip or zstd.
    #[arg(value_name = "FILE", required_unless_present = "replay")]
    pub files: Vec<String>,

    /// Index, alias or data stream to write to, by its whole name.
    #[arg(long, value_name = "INDEX")]
    pub to: String,

    /// Columns that make up a document's id, so that the same row is the same document;
    /// several with commas. Without them the server gives ids, and a load that was cut off
    /// cannot be carried on.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub id: Vec<String>,

    /// What is done with each document.
    #[arg(long, value_enum, default_value_t)]
    pub op: OperationArg,

    /// Column whose value routes a document to its shard.
    #[arg(long, value_name = "COLUMN")]
    pub routing: Option<String>,

    /// Column that holds a document's version: an older one never takes the place of a newer.
    #[arg(long = "document-version", value_name = "COLUMN", requires = "id")]
    pub version: Option<String>,

    /// Ingest pipeline of Elasticsearch that every document goes through.
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,

    /// JSON file with the index's mapping, alone or as `mappings` beside `settings`; what it
    /// leaves out is inferred.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,

    /// What to do with columns that the mapping file does not name.
    #[arg(long, value_enum, default_value_t, requires = "mapping")]
    pub undeclared: UndeclaredArg,

    /// Format of the files; without it, the one that their names tell.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// What columns become whose names hold dots.
    #[arg(long, value_enum, default_value_t)]
    pub dotted_names: DottedNamesArg,

    /// What becomes of NaN and the infinities, which JSON has no form for.
    #[arg(long, value_enum, default_value_t)]
    pub non_finite: NonFiniteArg,

    /// How many documents may be rejected before the load fails: a number, or a share such as
    /// 1%. `bulk.max_rejected` without it.
    #[arg(long, value_name = "LIMIT")]
    pub max_rejected: Option<es_assets::RejectionLimit>,

    /// Segments that each shard of a new index is merged into after the load.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub force_merge: Option<u32>,

    /// Write what became of the documents to a file in Prometheus' text format, for the
    /// textfile collector of its node exporter.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// Begin anew, even where an earlier load of these files was cut off.
    #[arg(long)]
    pub restart: bool,

    /// Show what would be loaded and the index that would be created, and load nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Send the documents of a dead letter, or of any file that is a bulk body, again.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["files", "id", "op", "routing", "version", "mapping", "format", "restart", "dry_run"]
    )]
    pub replay: Option<PathBuf>,
}

/// What is done with each document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OperationArg {
    /// Write it, over one that is there.
    #[default]
    Index,
    /// Write it if it is not there.
    Create,
    /// Change these fields of one that is there.
    Update,
    /// Change these fields, or write it if it is not there.
    Upsert,
    /// Remove the one with this id.
    Delete,
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// An Apache Arrow IPC file.
    Ipc,
    /// An Apache Arrow IPC stream.
    IpcStream,
}

/// What is done with columns that the mapping does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UndeclaredArg {
    /// They are mapped by their type.
    #[default]
    Infer,
    /// They are left out.
    Ignore,
    /// They are an error.
    Reject,
}

/// What columns become whose names hold dots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DottedNamesArg {
    /// Fields of the same name.
    #[default]
    Flat,
    /// Fields of objects.
    Objects,
}

/// What becomes of NaN and the infinities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NonFiniteArg {
    /// They are left out, as nulls are.
    #[default]
    Null,
    /// They are an error.
    Reject,
    /// They are written as text.
    String,
}

/// The form of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Lines of text.
    #[default]
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
    /// JSON.
    Json,
}

/// A generated page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferencePage {
    /// The commands and their options.
    Cli,
    /// The environment variables.
    Environment,
    /// `.env.example`.
    EnvExample,
    /// The settings and their defaults.
    Settings,
}
