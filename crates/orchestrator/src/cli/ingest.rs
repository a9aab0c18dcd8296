//! The options of `ingest`.

use std::path::PathBuf;

use clap::Args;
use es_bulk::MaxRejected;
use es_bulk::files::{ColumnType, Delimiter, Encoding, FileFormat, JsonPointer, Quote, Undeclared};
use es_frame::{DottedNames, NonFinite, Operation};

use super::choice::choice;

/// The files, the index, and how rows become documents.
#[derive(Clone, Debug, Args)]
pub struct IngestArgs {
    /// Files, folders or patterns; `-` for standard input. CSV and JSON may be compressed
    /// with gzip or zstd.
    #[arg(value_name = "FILE", required_unless_present = "replay")]
    pub files: Vec<String>,

    /// Index, alias or data stream to write to, by its whole name.
    #[arg(long, value_name = "INDEX")]
    pub to: String,

    /// Columns that make up a document's id, so that the same row is the same document;
    /// several with commas. `_id` alone is the id as it stands, as exports have it. Without them the
    /// server gives ids, and a load that was cut off cannot be resumed.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub id: Vec<String>,

    /// Operation of each document.
    #[arg(long, value_name = "OPERATION", value_parser = choice::<Operation>(), default_value_t)]
    pub op: Operation,

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

    /// Treatment of columns that the mapping file does not name.
    #[arg(long, value_name = "CHOICE", value_parser = choice::<Undeclared>(), default_value_t, requires = "mapping")]
    pub undeclared: Undeclared,

    /// Columns that are left out, several with commas, such as those of types that cannot be read.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub leave_out: Vec<String>,

    /// Format of the files; without it, the one that their names end in.
    #[arg(long, value_name = "FORMAT", value_parser = choice::<FileFormat>())]
    pub format: Option<FileFormat>,

    /// Array of documents inside a JSON file, as a JSON pointer such as `/features`.
    #[arg(long, value_name = "POINTER", value_parser = |text: &str| text.parse::<JsonPointer>())]
    pub records: Option<JsonPointer>,

    /// Type of a column of CSV, several with commas: `code=text,v=double`. The types are text,
    /// long, unsigned-long, double, boolean and date. A column without one has the type of its field
    /// in the index or the mapping file, or else the one that the first values of all files fit.
    #[arg(long, value_name = "COLUMN=TYPE", value_delimiter = ',', value_parser = column_type)]
    pub types: Vec<(String, ColumnType)>,

    /// Character between the values of CSV; `tab` for a tab. Without it, the one of comma, semicolon,
    /// tab and pipe that divides the first lines best.
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<Delimiter>,

    /// Character around values of CSV, or `none`.
    #[arg(long, value_name = "CHARACTER", default_value_t)]
    pub quote: Quote,

    /// Encoding of CSV, such as windows-1252 or utf-16le. Without it, UTF-8, or UTF-16 with a byte
    /// order mark.
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<Encoding>,

    /// Texts in CSV that stand for no value; several with commas: `NA,nan,-`.
    #[arg(long, value_name = "TEXTS", value_delimiter = ',', allow_hyphen_values = true)]
    pub null_values: Vec<String>,

    /// Read CSV without a header: its columns are called column_1, column_2 and so on.
    #[arg(long)]
    pub no_header: bool,

    /// Read numbers in CSV with a decimal comma.
    #[arg(long)]
    pub decimal_comma: bool,

    /// Fields that columns with dots in their names become.
    #[arg(long, value_name = "CHOICE", value_parser = choice::<DottedNames>(), default_value_t)]
    pub dotted_names: DottedNames,

    /// Treatment of NaN and the infinities, which JSON has no form for.
    #[arg(long, value_name = "CHOICE", value_parser = choice::<NonFinite>(), default_value_t)]
    pub non_finite: NonFinite,

    /// Most documents that may be rejected before the load fails: a number, or a share such as
    /// 1%. `bulk.max_rejected` without it.
    #[arg(long, value_name = "LIMIT")]
    pub max_rejected: Option<MaxRejected>,

    /// Segments that each shard of a new index is merged into after the load.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub force_merge: Option<u32>,

    /// Write the account of the documents to a file in the text format of Prometheus, for the
    /// textfile collector of its node exporter.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// Start from scratch, even where an earlier load of these files was cut off.
    #[arg(long)]
    pub restart: bool,

    /// Show what would be loaded and the index that would be created, and load nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Send the documents of a dead letter, or of any file that is a bulk body, again.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["files", "id", "op", "routing", "version", "mapping", "format", "records", "restart", "dry_run"]
    )]
    pub replay: Option<PathBuf>,
}

/// Reads the type of a column.
fn column_type(text: &str) -> Result<(String, ColumnType), String> {
    let Some((name, column)) = text.rsplit_once('=') else {
        return Err(format!("`{text}` is not of the form COLUMN=TYPE, such as code=text"));
    };
    match column.parse::<ColumnType>() {
        Ok(column) => Ok((name.to_owned(), column)),
        Err(error) => Err(error.help.as_ref().map_or(error.to_string(), |help| format!("{error}: {help}"))),
    }
}
