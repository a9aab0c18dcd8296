//! The options of `export`.

use clap::{Args, ValueEnum};
use es_export::{Compression, FieldSource, Format};

use super::choice::choice;

/// The rows, the destination, and the form of the files.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Index, alias or pattern to read, by its whole name.
    #[arg(value_name = "INDEX", required_unless_present_any = ["esql", "sql"])]
    pub index: Option<String>,

    /// Folder to write to; a name with an ending such as `.parquet` or `.csv.gz` is one file, and a
    /// folder with a dot in its name ends with `/`; `-` is standard output (ipc-stream, csv, tsv,
    /// ndjson, json).
    #[arg(long, value_name = "PATH")]
    pub to: String,

    /// Format of the files; without it, the one that the name ends in, or Parquet.
    #[arg(long, value_name = "FORMAT", value_parser = choice::<Format>())]
    pub format: Option<Format>,

    /// Elasticsearch query, as JSON or as a file with it; all documents without it.
    #[arg(long, value_name = "JSON|FILE")]
    pub query: Option<String>,

    /// Read what an ES|QL query returns.
    #[arg(long, value_name = "QUERY", conflicts_with_all = ["index", "sql"])]
    pub esql: Option<String>,

    /// Read what an Elasticsearch SQL query returns.
    #[arg(long, value_name = "QUERY", conflicts_with = "index")]
    pub sql: Option<String>,

    /// Fields that become columns, in this order, several with commas; all without it.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', conflicts_with_all = QUERY_LANGUAGES)]
    pub columns: Vec<String>,

    /// Fields that are computed while reading: `runtime_mappings` of a search, as JSON or as a
    /// file with them.
    #[arg(long, value_name = "JSON|FILE", conflicts_with_all = QUERY_LANGUAGES)]
    pub runtime: Option<String>,

    /// Fields to sort by, several with commas; `FIELD:desc` reverses the order. Sorted rows
    /// are read one page after another.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', conflicts_with_all = QUERY_LANGUAGES)]
    pub sort: Vec<String>,

    /// Most rows to read.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with_all = QUERY_LANGUAGES
    )]
    pub limit: Option<u64>,

    /// Share of the documents, between 0 and 1, drawn by chance: the same ones each time.
    #[arg(long, value_name = "SHARE", conflicts_with_all = QUERY_LANGUAGES)]
    pub sample: Option<f64>,

    /// Another seed draws other documents.
    #[arg(long, value_name = "N", default_value_t, requires = "sample")]
    pub sample_seed: u64,

    /// Slices that the index is read in; `export.slices` without it.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1024),
        conflicts_with_all = QUERY_LANGUAGES
    )]
    pub slices: Option<u32>,

    /// Documents of a response; `export.page_size` without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub page_rows: Option<u32>,

    /// Source of the values on the server.
    #[arg(
        long,
        value_name = "CHOICE",
        value_parser = choice::<FieldSource>(),
        default_value_t,
        conflicts_with_all = QUERY_LANGUAGES
    )]
    pub read_from: FieldSource,

    /// Treatment of several values in one document: one (more are an error), list, first or
    /// last; of a single field with FIELD=POLICY.
    #[arg(long, value_name = "[FIELD=]POLICY", value_delimiter = ',', conflicts_with_all = QUERY_LANGUAGES)]
    pub values: Vec<String>,

    /// Treatment of a value that the field's type does not have: error or null; of a single
    /// field with FIELD=POLICY.
    #[arg(long, value_name = "[FIELD=]POLICY", value_delimiter = ',', conflicts_with_all = QUERY_LANGUAGES)]
    pub malformed: Vec<String>,

    /// Treatment of a document without a value: null or error; of a single field with
    /// FIELD=POLICY.
    #[arg(long, value_name = "[FIELD=]POLICY", value_delimiter = ',', conflicts_with_all = QUERY_LANGUAGES)]
    pub missing: Vec<String>,

    /// Numbers that the values of a field are turned into: numeric, codes, one-hot or
    /// standard.
    #[arg(long, value_name = "FIELD=ENCODING", value_delimiter = ',')]
    pub encode: Vec<String>,

    /// Parts that rows are divided into: their shares, as train=0.8,test=0.2; with `--split-by
    /// time` where they end, as train=2013-09-01,test.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', requires = "split_key")]
    pub split: Vec<String>,

    /// Criterion that assigns a row to a part.
    #[arg(long, value_enum, default_value_t)]
    pub split_by: SplitByArg,

    /// Fields that are hashed, or the field with the time.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', requires = "split")]
    pub split_key: Vec<String>,

    /// Fields whose values make up the strata.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', required_if_eq("split_by", "stratified"))]
    pub split_strata: Vec<String>,

    /// Another seed gives another division.
    #[arg(long, value_name = "N", default_value_t)]
    pub split_seed: u64,

    /// Fields whose values become folders, as `carrier=UA`, in each part.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub partition_by: Vec<String>,

    /// Compression of the files; without it, the usual one of the format.
    #[arg(long, value_name = "NAME", value_parser = choice::<Compression>())]
    pub compression: Option<Compression>,

    /// Rows of a row group of Parquet; `export.row_group_rows` without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub row_group_rows: Option<u32>,

    /// About the number of rows that are read before the files are finished and others started;
    /// `export.rows_per_file` without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rows_per_file: Option<u32>,

    /// Start from scratch, even where an earlier export was cut off.
    #[arg(long)]
    pub restart: bool,

    /// Show what would be read and how, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// The alternatives to an index and a query: the server makes the rows, and says itself which
/// columns they have, how many there are, and what becomes of several values or none.
const QUERY_LANGUAGES: [&str; 2] = ["esql", "sql"];

/// The criterion that assigns a row to a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SplitByArg {
    /// A hash of its key.
    #[default]
    Hash,
    /// A hash of its group.
    Group,
    /// A hash of its key, with the shares kept in each stratum.
    Stratified,
    /// Its time.
    Time,
}
