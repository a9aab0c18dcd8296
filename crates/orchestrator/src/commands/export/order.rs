//! What the options of `export` mean.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use es_values::TimePoint;
use es_export::{
    Compression, Destination, Encoding, Esql, Format, MissingTimes, ReadFrom, ReadRequest, Sample, Search, Split, Sql,
    TimePart,
};
use es_frame::{ColumnRequest, FieldSource, Malformed, Missing, Values};
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::cli::{ExportArgs, ReadFromArg, SplitByArg};
use crate::exports::{self, Cells};
use crate::error::Error;
use crate::project::Workplace;

/// An export, as the command line says it.
#[derive(Debug)]
pub(super) struct Order {
    /// What it is called while it goes on.
    pub(super) name: String,
    pub(super) request: ReadRequest,
    pub(super) target: Target,
    pub(super) split: Option<Split>,
    pub(super) encodings: IndexMap<String, Encoding>,
}

/// Where the rows go.
#[derive(Debug)]
pub(super) enum Target {
    Files(Destination, Format),
    Standard(Format),
}

impl Order {
    pub(super) fn of(args: &ExportArgs, work: &Workplace) -> Result<Self, Error> {
        let cells = cells(args)?;
        let mut options = exports::read_options(&work.settings.export);
        options.slices = args.slices.map(|slices| slices as usize).or(options.slices);
        options.page_rows = args.page_rows.map_or(options.page_rows, |rows| rows as usize);
        let filter = args.query.as_deref().map(|text| json_of("--query", text)).transpose()?;
        let (name, from) = match (&args.esql, &args.sql, &args.index) {
            (Some(query), ..) => ("esql".to_owned(), ReadFrom::Esql(Esql { filter, ..Esql::new(query) })),
            (_, Some(query), _) => ("sql".to_owned(), ReadFrom::Sql(Sql { filter, ..Sql::new(query) })),
            (.., Some(index)) => (index.clone(), ReadFrom::Search(search(args, index, filter, &cells)?)),
            (None, None, None) => return Err(Error::config("there is nothing to read: name an index")),
        };
        let target = target(args, work.settings.export.row_group_rows)?;
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

fn search(args: &ExportArgs, index: &str, filter: Option<Value>, cells: &Cells) -> Result<Search, Error> {
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
    search.source = match args.read_from {
        ReadFromArg::Auto => FieldSource::Auto,
        ReadFromArg::DocValues => FieldSource::DocValues,
        ReadFromArg::Source => FieldSource::Source,
    };
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
fn json_of(option: &str, text: &str) -> Result<Value, Error> {
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

fn object_of(option: &str, text: &str) -> Result<Map<String, Value>, Error> {
    match json_of(option, text)? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::config(format!("{option} takes a JSON object"))),
    }
}

const VALUES: [(&str, Values); 4] =
    [("one", Values::One), ("list", Values::List), ("first", Values::First), ("last", Values::Last)];
const MALFORMED: [(&str, Malformed); 2] = [("error", Malformed::Error), ("null", Malformed::Null)];
const MISSING: [(&str, Missing); 2] = [("null", Missing::Null), ("error", Missing::Error)];

fn cells(args: &ExportArgs) -> Result<Cells, Error> {
    let (values, values_of) = policies("--values", &args.values, &VALUES)?;
    let (malformed, malformed_of) = policies("--malformed", &args.malformed, &MALFORMED)?;
    let (missing, missing_of) = policies("--missing", &args.missing, &MISSING)?;
    let mut cells = Cells::default();
    cells.policy.values = values.unwrap_or(cells.policy.values);
    cells.policy.malformed = malformed.unwrap_or(cells.policy.malformed);
    cells.policy.missing = missing.unwrap_or(cells.policy.missing);
    for (column, values) in values_of {
        cells.of_column(&column).values = values;
    }
    for (column, malformed) in malformed_of {
        cells.of_column(&column).malformed = malformed;
    }
    for (column, missing) in missing_of {
        cells.of_column(&column).missing = missing;
    }
    let encodings = Encoding::ALL.map(|encoding| (encoding.as_str(), encoding));
    let (all, encodings) = policies("--encode", &args.encode, &encodings)?;
    if all.is_some() {
        return Err(Error::config("--encode takes the field too, as carrier=codes"));
    }
    cells.encodings = encodings.into_iter().collect();
    Ok(cells)
}

type Policies<P> = (Option<P>, Vec<(String, P)>);

/// What is said of all columns, and of single ones.
fn policies<P: Copy>(option: &str, texts: &[String], known: &[(&str, P)]) -> Result<Policies<P>, Error> {
    let (mut all, mut single) = (None, Vec::new());
    for text in texts {
        let (column, name) = match text.rsplit_once('=') {
            Some((column, name)) => (Some(column), name),
            None => (None, text.as_str()),
        };
        let Some((_, policy)) = known.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            return Err(Error::config(format!("{option} {text}: `{name}` is none of {}", names.join(", "))));
        };
        match column {
            Some(column) => single.push((column.to_owned(), *policy)),
            None => all = Some(*policy),
        }
    }
    Ok((all, single))
}

fn target(args: &ExportArgs, row_group_rows: u32) -> Result<Target, Error> {
    let compression = args.compression.as_deref().and_then(Compression::from_name);
    let row_group_rows = args.row_group_rows.unwrap_or(row_group_rows);
    let made = |format: Format| exports::format(format, compression, row_group_rows);
    let given = args.format.as_deref().and_then(Format::from_name);
    if args.to == "-" {
        let format = given.ok_or_else(|| {
            Error::config("the format of standard output is not known")
                .with_help(Some("give it with --format: ipc-stream, csv or ndjson"))
        })?;
        if !format.is_stream() {
            return Err(Error::config(format!("{} cannot be written to standard output", format.name()))
                .with_help(Some("choose ipc-stream, csv or ndjson, or name a folder or file with --to")));
        }
        return Ok(Target::Standard(made(format)?));
    }
    let path = PathBuf::from(&args.to);
    let is_folder = args.to.ends_with('/') || path.is_dir();
    let by_name = if is_folder { None } else { format_of_name(&path) };
    let format = made(given.or(by_name).unwrap_or(Format::Parquet(Default::default())))?;
    let destination = match by_name {
        Some(_) => Destination::File(path),
        None => Destination::Folder(path),
    };
    Ok(Target::Files(destination, format))
}

/// The format that the ending of a name stands for.
fn format_of_name(path: &Path) -> Option<Format> {
    let ending = path.extension()?.to_str()?;
    Format::NAMES.iter().filter_map(|name| Format::from_name(name)).find(|format| format.extension() == ending)
}

fn split(args: &ExportArgs) -> Result<Option<Split>, Error> {
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
            let parts = args.split.iter().map(|text| time_part(text)).collect::<Result<_, _>>()?;
            Split::by_time(field, parts, MissingTimes::Refuse)?
        }
    }))
}

/// `train=0.8`, `test=0.2`.
fn shares(parts: &[String]) -> Result<Vec<(String, f64)>, Error> {
    let share = |text: &String| {
        let pair = text.split_once('=').and_then(|(name, share)| Some((name.to_owned(), share.parse().ok()?)));
        pair.ok_or_else(|| Error::config(format!("--split {text}: a part is its name and its share, as train=0.8")))
    };
    parts.iter().map(share).collect()
}

/// `train=2013-09-01`, or `test` for the last part.
fn time_part(text: &str) -> Result<TimePart, Error> {
    let Some((name, until)) = text.split_once('=') else {
        return Ok(TimePart { name: text.to_owned(), until: None });
    };
    let point = TimePoint::from_str(until).map_err(|error| Error::config(format!("--split {text}: {error}")))?;
    let instant = point.to_timestamp(&TimeZone::UTC);
    let until = instant.map_err(|error| Error::config(format!("--split {text}: {error}")))?;
    Ok(TimePart { name: name.to_owned(), until: Some(until) })
}
