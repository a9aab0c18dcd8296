//! The meaning of the options of `export`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use es_export::{
    CellPolicy, ColumnRequest, Compression, Destination, Encoding, Esql, FileOptions, Format, MissingTimes, ReadFrom,
    ReadRequest, Sample, Search, Split, Sql,
};
use es_values::{InvalidValue, TimePoint};
use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::cli::{ExportArgs, SplitByArg};
use crate::error::{Error, Result};
use crate::project::Workplace;

/// An export, as the command line says it.
#[derive(Debug)]
pub(super) struct ExportRequest {
    /// Its name while it runs.
    pub(super) name: String,
    pub(super) request: ReadRequest,
    pub(super) target: Target,
    pub(super) split: Option<Split>,
    pub(super) encodings: IndexMap<String, Encoding>,
}

/// The destination of the rows.
#[derive(Debug)]
pub(super) enum Target {
    Files(Destination, FileOptions),
    Standard(FileOptions),
}

impl ExportRequest {
    pub(super) fn new(args: &ExportArgs, work: &Workplace) -> Result<Self> {
        let cells = cells(args)?;
        let mut options = work.settings.export.read;
        options.slices = args.slices.or(options.slices);
        options.page_size = args.page_rows.unwrap_or(options.page_size);
        let filter = args.query.as_deref().map(|text| json_of("--query", text)).transpose()?;
        let (name, from) = match (&args.esql, &args.sql, &args.index) {
            (Some(query), ..) => ("esql".to_owned(), ReadFrom::Esql(Esql { filter, ..Esql::new(query) })),
            (_, Some(query), _) => ("sql".to_owned(), ReadFrom::Sql(Sql { filter, ..Sql::new(query) })),
            (.., Some(index)) => (index.clone(), ReadFrom::Search(search(args, index, filter, &cells)?)),
            (None, None, None) => return Err(Error::config("there is nothing to read: name an index")),
        };
        let target = target(args, work)?;
        if matches!(target, Target::Standard(_)) {
            let only_files = [
                ("--split", !args.split.is_empty()),
                ("--partition-by", !args.partition_by.is_empty()),
                ("--encode", !args.encode.is_empty()),
                ("--restart", args.restart),
            ];
            if let Some((option, _)) = only_files.iter().find(|(_, is_given)| *is_given) {
                return Err(Error::config(format!("{option} is for files, and not for standard output")));
            }
        }
        Ok(Self {
            name,
            request: ReadRequest { from, options },
            target,
            split: split(args)?,
            encodings: cells.encodings,
        })
    }
}

fn search(args: &ExportArgs, index: &str, filter: Option<Value>, cells: &Cells) -> Result<Search> {
    let mut search = Search::new(index);
    search.query = filter.unwrap_or(search.query);
    if !args.columns.is_empty() {
        search.columns = ColumnRequest::Named(args.columns.clone());
    }
    search.runtime = args.runtime.as_deref().map(|text| object_of("--runtime", text)).transpose()?.unwrap_or_default();
    search.sort = args.sort.iter().map(|field| sort_of(field)).collect();
    search.limit = args.limit;
    if let Some(share) = args.sample {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::config(format!("--sample takes a share between 0 and 1, not {share}")));
        }
        search.sample = Some(Sample { share, seed: args.sample_seed });
    }
    search.source = args.read_from;
    (search.policy, search.policies) = (cells.policy, cells.policies.clone());
    Ok(search)
}

/// `FIELD` or `FIELD:desc`, as a search sorts.
fn sort_of(text: &str) -> Value {
    match text.rsplit_once(':') {
        Some((field, order @ ("asc" | "desc"))) => json!({field: {"order": order}}),
        _ => json!({text: {"order": "asc"}}),
    }
}

/// JSON that stands in an option, or in the file that it names.
fn json_of(option: &str, text: &str) -> Result<Value> {
    let (text, place) = if text.trim_start().starts_with('{') {
        (text.to_owned(), option.to_owned())
    } else {
        let content = std::fs::read_to_string(text).map_err(|error| {
            Error::config(format!("{option}: {text} cannot be read: {error}"))
                .with_help(Some("give JSON that begins with `{`, or the path of a file with it"))
        })?;
        (content, text.to_owned())
    };
    serde_json::from_str(&text).map_err(|error| Error::config(format!("{place} is not JSON: {error}")))
}

fn object_of(option: &str, text: &str) -> Result<Map<String, Value>> {
    match json_of(option, text)? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::config(format!("{option} takes a JSON object"))),
    }
}

/// The treatment of the values of each column.
#[derive(Debug, Default)]
struct Cells {
    policy: CellPolicy,
    policies: IndexMap<String, CellPolicy>,
    encodings: IndexMap<String, Encoding>,
}

impl Cells {
    /// The policy of a column, or of all columns.
    fn of_column(&mut self, column: Option<String>) -> &mut CellPolicy {
        match column {
            Some(column) => self.policies.entry(column).or_default(),
            None => &mut self.policy,
        }
    }
}

fn cells(args: &ExportArgs) -> Result<Cells> {
    let mut cells = Cells::default();
    for (column, values) in choices("--values", &args.values)? {
        cells.of_column(column).values = Some(values);
    }
    for (column, malformed) in choices("--malformed", &args.malformed)? {
        cells.of_column(column).malformed = Some(malformed);
    }
    for (column, missing) in choices("--missing", &args.missing)? {
        cells.of_column(column).missing = Some(missing);
    }
    for (column, encoding) in choices("--encode", &args.encode)? {
        let Some(column) = column else {
            return Err(Error::config("--encode takes the field too, as carrier=codes"));
        };
        cells.encodings.insert(column, encoding);
    }
    Ok(cells)
}

/// Choices for all columns, and for single ones as `FIELD=CHOICE`.
fn choices<P: FromStr<Err = InvalidValue>>(option: &str, texts: &[String]) -> Result<Vec<(Option<String>, P)>> {
    let choice = |text: &String| {
        let (column, name) = match text.rsplit_once('=') {
            Some((column, name)) => (Some(column.to_owned()), name),
            None => (None, text.as_str()),
        };
        let choice = name
            .parse()
            .map_err(|error: InvalidValue| Error::config(format!("{option} {text}: {error}")).with_help(error.help))?;
        Ok((column, choice))
    };
    texts.iter().map(choice).collect()
}

fn target(args: &ExportArgs, work: &Workplace) -> Result<Target> {
    let file = |format: Format, by_name: Option<Compression>| {
        let mut file: FileOptions = format.into();
        file.compression = args.compression.or(by_name);
        file.parquet.row_group_rows = args.row_group_rows.unwrap_or(work.settings.export.write.row_group_rows) as usize;
        file.check_compression()?;
        Ok::<_, Error>(file)
    };
    if args.to == "-" {
        let format = args.format.ok_or_else(|| {
            Error::config("the format of standard output is not known")
                .with_help(Some("give it with --format: ipc-stream, csv, tsv, ndjson or json"))
        })?;
        if !format.is_stream() {
            return Err(Error::config(format!("{format} cannot be written to standard output"))
                .with_help(Some("choose ipc-stream, csv, tsv, ndjson or json, or name a folder or file with --to")));
        }
        return Ok(Target::Standard(file(format, None)?));
    }
    let path = PathBuf::from(&args.to);
    if args.to.ends_with('/') || path.is_dir() || path.extension().is_none() {
        return Ok(Target::Files(Destination::Folder(path), file(args.format.unwrap_or_default(), None)?));
    }
    let by_name = by_name(&path, args.format, args.compression)?;
    Ok(Target::Files(Destination::File(path), file(by_name.format, by_name.compression)?))
}

/// The format and the compression that the ending of a file's name stands for.
fn by_name(path: &Path, format: Option<Format>, compression: Option<Compression>) -> Result<FileOptions> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(found) = FileOptions::of_name(&name) else {
        let like = FileOptions { compression, ..format.unwrap_or_default().into() };
        return Err(Error::config(format!("the ending of `{name}` is not that of a file that can be written"))
            .with_help(Some(format!(
                "end the name of a folder with `/`: `--to {}/`; a file is named after its format, as `{}.{}` \
                 (parquet, arrow, arrows, csv, tsv, ndjson, json, avro, npy, npz, safetensors, tfrecord; \
                 text also with `.gz` or `.zst` behind it)",
                path.display(),
                path.file_stem().unwrap_or_default().to_string_lossy(),
                like.extension()
            ))));
    };
    if let Some(format) = format.filter(|format| *format != found.format) {
        return Err(Error::config(format!("--format {format} and the ending of `{name}` disagree"))
            .with_help(Some("leave --format out, or name the file after its format")));
    }
    match (compression, found.compression) {
        (Some(asked), Some(by_name)) if asked != by_name => {
            Err(Error::config(format!("--compression {asked} and the ending of `{name}` disagree"))
                .with_help(Some("leave --compression out, or name the file after it")))
        }
        (Some(asked), None) if found.format.is_text() && asked != Compression::Uncompressed => {
            let named = FileOptions { compression: Some(asked), ..found };
            named.check_compression()?;
            Err(Error::config(format!("`{name}` would be compressed, and its ending does not say so")).with_help(Some(
                format!("name it `{}.{}`", path.file_stem().unwrap_or_default().to_string_lossy(), named.extension()),
            )))
        }
        _ => Ok(found),
    }
}

fn split(args: &ExportArgs) -> Result<Option<Split>> {
    if args.split.is_empty() {
        return Ok(None);
    }
    let key = args.split_key.clone();
    let seed = args.split_seed;
    Ok(Some(match args.split_by {
        SplitByArg::Hash => Split::by_hash(key, seed, shares(&args.split)?)?,
        SplitByArg::Group => Split::by_group(key, seed, shares(&args.split)?)?,
        SplitByArg::Stratified => Split::stratified(args.split_strata.clone(), key, seed, shares(&args.split)?)?,
        SplitByArg::Time => {
            let [field] = key.as_slice() else {
                return Err(Error::config("a split by time goes by one field: name it with --split-key"));
            };
            let parts = args.split.iter().map(|text| time_part(text)).collect::<Result<_>>()?;
            Split::by_time(field, parts, MissingTimes::Refuse)?
        }
    }))
}

/// `train=0.8`, `test=0.2`.
fn shares(parts: &[String]) -> Result<Vec<(String, f64)>> {
    let share = |text: &String| {
        let pair = text.split_once('=').and_then(|(name, share)| Some((name.to_owned(), share.parse().ok()?)));
        pair.ok_or_else(|| Error::config(format!("--split {text}: a part is its name and its share, as train=0.8")))
    };
    parts.iter().map(share).collect()
}

/// `train=2013-09-01`, or `test` for the last part.
fn time_part(text: &str) -> Result<(String, Option<Timestamp>)> {
    let Some((name, until)) = text.split_once('=') else { return Ok((text.to_owned(), None)) };
    let point = TimePoint::from_str(until).map_err(|error| Error::config(format!("--split {text}: {error}")))?;
    let instant = point.to_timestamp(&TimeZone::UTC);
    let until = instant.map_err(|error| Error::config(format!("--split {text}: {error}")))?;
    Ok((name.to_owned(), Some(until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_says_or_an_error() {
        use Compression::{Gzip, Snappy, Zstd};
        let of = |name: &str, format, compression| by_name(Path::new(name), format, compression);
        let table = [
            ("out/a.csv.gz", None, None, (Format::Csv, Some(Gzip))),
            ("a.ndjson.zst", Some(Format::Ndjson), Some(Zstd), (Format::Ndjson, Some(Zstd))),
            ("a.jsonl", None, None, (Format::Ndjson, None)),
            ("a.json", None, None, (Format::Json, None)),
            ("a.tsv", None, None, (Format::Tsv, None)),
            ("a.pq", None, Some(Snappy), (Format::Parquet, None)),
            ("a.feather", None, None, (Format::Ipc, None)),
        ];
        for (name, format, compression, expected) in table {
            let found = of(name, format, compression).unwrap();
            assert_eq!((found.format, found.compression), expected, "{name}");
        }
        let table = [
            ("a.xlsx", None, None, "the ending of `a.xlsx` is not that of a file that can be written"),
            ("v1.2", Some(Format::Csv), None, "the ending of `v1.2` is not that of a file that can be written"),
            ("a.parquet.gz", None, None, "the ending of `a.parquet.gz` is not that of a file that can be written"),
            ("a.csv", Some(Format::Parquet), None, "--format parquet and the ending of `a.csv` disagree"),
            ("a.csv.gz", None, Some(Zstd), "--compression zstd and the ending of `a.csv.gz` disagree"),
            ("a.csv", None, Some(Gzip), "`a.csv` would be compressed, and its ending does not say so"),
            ("a.csv", None, Some(Snappy), "the format csv has no compression snappy"),
        ];
        for (name, format, compression, expected) in table {
            let error = of(name, format, compression).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(error.help().is_some(), "{name}");
        }
        let help = of("v1.2", Some(Format::Csv), Some(Gzip)).unwrap_err().help().unwrap().to_owned();
        assert!(help.starts_with("end the name of a folder with `/`: `--to v1.2/`"), "{help}");
        assert!(help.contains("`v1.csv.gz`"), "{help}");
    }
}
