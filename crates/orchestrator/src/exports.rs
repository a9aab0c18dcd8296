//! What the definition of an export, or a command line, means for es-export.

use std::sync::{Mutex, PoisonError};

use es_assets::{ExportFormat, ExportSettings, FieldOptions};
use es_export::{
    Compression, Encoding, ExportOptions, Format, MissingTimes, ParquetOptions, ReadOptions, Split, TimePart,
};
use es_frame::{CellPolicy, Malformed, Missing, Values};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

use crate::failure::Failure;
use crate::terminal::reporter::StepProgress;

/// The limits of reading.
pub fn read_options(settings: &ExportSettings) -> ReadOptions {
    ReadOptions {
        page_rows: settings.page_size as usize,
        page_bytes: usize::try_from(settings.page_bytes.as_bytes()).unwrap_or(usize::MAX),
        slices: settings.slices.map(|slices| slices as usize),
        concurrency: settings.concurrency as usize,
        keep_alive: settings.keep_alive.to_duration(),
        ..ReadOptions::default()
    }
}

/// The limits of writing.
pub fn export_options(settings: &ExportSettings, restart: bool) -> ExportOptions {
    ExportOptions {
        rows_per_file: settings.rows_per_file.into(),
        max_held_bytes: usize::try_from(settings.held_bytes.as_bytes()).unwrap_or(usize::MAX),
        restart,
        ..ExportOptions::default()
    }
}

/// A format with its compression, and row groups as the settings have them.
///
/// # Errors
/// When the format has no such compression.
pub fn format(mut format: Format, compression: Option<Compression>, row_group_rows: u32) -> Result<Format, Failure> {
    if let Format::Parquet(options) = &mut format {
        options.row_group_rows = row_group_rows as usize;
    }
    Ok(match compression {
        Some(compression) => format.with_compression(compression)?,
        None => format,
    })
}

/// The format that a definition names.
///
/// # Errors
/// As [`format()`].
pub fn format_of(to: &es_assets::Output, settings: &ExportSettings) -> Result<Format, Failure> {
    let named = match to.format {
        ExportFormat::Parquet => Format::Parquet(ParquetOptions::default()),
        ExportFormat::Ipc => Format::Ipc { compression: Compression::Uncompressed },
        ExportFormat::IpcStream => Format::IpcStream { compression: Compression::Uncompressed },
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Ndjson => Format::Ndjson,
        ExportFormat::Avro => Format::Avro { compression: Compression::Deflate },
        ExportFormat::Npy => Format::Npy,
        ExportFormat::Npz => Format::Npz,
        ExportFormat::Safetensors => Format::Safetensors,
        ExportFormat::Tfrecord => Format::TfRecord,
    };
    let compression = to.compression.map(|compression| match compression {
        es_assets::Compression::Zstd => Compression::Zstd,
        es_assets::Compression::Snappy => Compression::Snappy,
        es_assets::Compression::Lz4 => Compression::Lz4,
        es_assets::Compression::Deflate => Compression::Deflate,
        es_assets::Compression::None => Compression::Uncompressed,
    });
    format(named, compression, settings.row_group_rows)
}

/// The split that a definition names.
///
/// # Errors
/// When the shares do not add up, or the times do not rise.
pub fn split_of(split: &es_assets::Split) -> Result<Split, Failure> {
    let shares = |parts: &IndexMap<String, f64>| parts.iter().map(|(name, share)| (name.clone(), *share)).collect();
    Ok(match split {
        es_assets::Split::Hash { key, seed, parts } => Split::by_hash(key.clone(), *seed, shares(parts))?,
        es_assets::Split::Group { key, seed, parts } => Split::by_group(key.clone(), *seed, shares(parts))?,
        es_assets::Split::Stratified { key, strata, seed, parts } => {
            Split::stratified(strata.clone(), key.clone(), *seed, shares(parts))?
        }
        es_assets::Split::Time { field, parts } => {
            let part = |(name, part): (&String, &es_assets::TimePart)| {
                let until = part.until.map(|until| until.to_timestamp(&TimeZone::UTC)).transpose();
                let until = until.map_err(|error| Failure::usage(format!("where {name} ends: {error}")))?;
                Ok(TimePart { name: name.clone(), until })
            };
            let parts = parts.iter().map(part).collect::<Result<_, Failure>>()?;
            Split::by_time(field, parts, MissingTimes::Refuse)?
        }
    })
}

/// What is done with the values of each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    /// Of every column that has no policy of its own.
    pub policy: CellPolicy,
    /// Of single columns.
    pub policies: IndexMap<String, CellPolicy>,
    /// How single columns become numbers.
    pub encodings: IndexMap<String, Encoding>,
}

impl Cells {
    /// What a definition says of all fields, and of single ones.
    pub fn of(all: &FieldOptions, single: &IndexMap<String, FieldOptions>) -> Self {
        let policy = over(CellPolicy::default(), all);
        let policies = single.iter().map(|(name, options)| (name.clone(), over(policy, options))).collect();
        let encoding = |(name, options): (&String, &FieldOptions)| {
            let encoding = match options.encode? {
                es_assets::Encoding::Numeric => Encoding::Numeric,
                es_assets::Encoding::Codes => Encoding::Codes,
                es_assets::Encoding::OneHot => Encoding::OneHot,
                es_assets::Encoding::Standard => Encoding::Standard,
            };
            Some((name.clone(), encoding))
        };
        Self { policy, policies, encodings: single.iter().filter_map(encoding).collect() }
    }

    /// The policy of a column, to be changed.
    pub fn of_column(&mut self, column: &str) -> &mut CellPolicy {
        self.policies.entry(column.to_owned()).or_insert(self.policy)
    }
}

/// A policy with what a definition says over it.
fn over(policy: CellPolicy, options: &FieldOptions) -> CellPolicy {
    CellPolicy {
        values: options.values.map_or(policy.values, |values| match values {
            es_assets::Values::One => Values::One,
            es_assets::Values::List => Values::List,
            es_assets::Values::First => Values::First,
            es_assets::Values::Last => Values::Last,
        }),
        malformed: options.malformed.map_or(policy.malformed, |malformed| match malformed {
            es_assets::Malformed::Error => Malformed::Error,
            es_assets::Malformed::Null => Malformed::Null,
        }),
        missing: options.missing.map_or(policy.missing, |missing| match missing {
            es_assets::Missing::Null => Missing::Null,
            es_assets::Missing::Error => Missing::Error,
        }),
    }
}

/// Tells of the steps of an export.
pub fn tell(progress: &StepProgress) -> impl Fn(es_export::Progress) + '_ {
    let phase = Mutex::new(None);
    move |step| {
        if let Some(total) = step.total {
            progress.set_total(total);
        }
        let before = phase.lock().unwrap_or_else(PoisonError::into_inner).replace(step.phase);
        if before.is_some_and(|before| before != step.phase) {
            progress.begin_again(match step.phase {
                es_export::Phase::Counting => "counting",
                es_export::Phase::Reading => "reading",
                es_export::Phase::Encoding => "encoding",
            });
        }
        progress.set_bytes(step.bytes);
        progress.advance(step.rows);
    }
}
