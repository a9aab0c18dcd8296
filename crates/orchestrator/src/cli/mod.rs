//! The command line.

mod choice;
mod conflict;
mod export;
mod ingest;
mod models;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::terminal::logging::LogFormat;

pub use export::{ExportArgs, SplitByArg};
pub use ingest::IngestArgs;
pub(crate) use models::reference;
pub use models::{
    AliasArg, ChangeArgs, MetricArg, ModelsCommand, PullArgs, ReferenceArg, RegisterArgs, TagArg, VersionArg,
};

/// Keeps machine learning assets on Elasticsearch up to date.
///
/// A pipeline file says which assets there are: indices made of files, features computed
/// by aggregations, training sets, monitors. `plan` shows what a run would do and why,
/// `run` does it. A failed or interrupted run leaves readers on what they had.
///
/// Exit codes: 0 done; 1 a run, or a check of `doctor`, failed; 2 usage or configuration;
/// 3 a check or a monitor failed; 4 a monitor could not be measured; 75 failed for a passing
/// reason, try again; 130 interrupted, after what was under way was settled.
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

    /// Tell more: every part, and what is done (-v), details (-vv), everything (-vvv).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Write results and failures only.
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,

    /// Form of log lines.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, global = true)]
    pub log_format: LogFormat,

    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
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
    /// Inspects the way to each node, TLS, version, licence, privileges, health, disks, shards
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
    /// was cut off resumes where it was when the same command is given again.
    Ingest(Box<IngestArgs>),
    /// Read an index into files, or to standard output, without a pipeline.
    ///
    /// Reads one state of the index, whatever is written meanwhile, and has as many rows as
    /// match, or fails. The files appear complete or not at all, with a manifest that says what
    /// they hold and where it came from. An export that was killed resumes where it was when
    /// the same command is given again.
    Export(Box<ExportArgs>),
    /// Show what a run would do, and why.
    Plan(PlanArgs),
    /// Bring assets up to date.
    Run(ScopeArgs),
    /// Run checks and monitors on what is published, and change nothing else.
    Check {
        /// Assets, such as `departures`, `+training_set`, `kind:monitor`.
        select: Option<String>,
    },
    /// Take note of the verdicts that stand, so that they no longer decide the exit code of `run`.
    ///
    /// A monitor that found drift or could not be measured keeps the exit code of `run` until it is
    /// measured again or acknowledged. The history says who did it, and when.
    Ack {
        /// Assets, such as `drift`, `kind:monitor`. All without it.
        select: Option<String>,
        /// Who takes note; by default the user and the host.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
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
        /// Most runs to list, or steps with `--json`.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Register models, point aliases to them, and find out what scored what.
    ///
    /// A version is written `late/3`, and an alias `late@champion`.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Find the passages of an asset of kind `embedding` that are nearest to a text.
    ///
    /// The text is embedded by the version of the model that made the published vectors.
    Search(SearchArgs),
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

/// The plan that is asked for, and how much of it is tried.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The assets and partitions.
    #[command(flatten)]
    pub scope: ScopeArgs,

    /// Try ingest pipelines on the first documents of each asset, and show what becomes of them.
    #[arg(long)]
    pub simulate: bool,
}

/// A text to find passages for.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Asset of kind `embedding`.
    pub asset: String,
    /// Text to find passages for.
    pub text: String,
    /// Passages to show.
    #[arg(short = 'k', long = "hits", default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub hits: u16,
    /// Find passages by their words as well, and fuse both lists by reciprocal rank.
    #[arg(long)]
    pub hybrid: bool,
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

    /// Build everything selected again, up to date or not.
    #[arg(long)]
    pub full_refresh: bool,
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
    /// The JSON Schema of the manifests of exports.
    ManifestSchema,
}
