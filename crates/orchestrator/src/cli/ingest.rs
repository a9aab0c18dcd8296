//! The options of `ingest`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
    pub max_rejected: Option<crate::settings::RejectionLimit>,

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
