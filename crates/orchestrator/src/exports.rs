//! What the definition of an export, or a command line, means for es-export.

use std::sync::{Mutex, PoisonError};

use crate::kinds::spec::{ExportFormat, FieldOptions};
use crate::settings::ExportSettings;
use es_export::{
    Compression, Encoding, ExportOptions, Format, MissingTimes, ParquetOptions, ReadOptions, Split, TimePart,
};
use es_frame::{CellPolicy, Malformed, Missing, Values};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

use crate::error::Error;
use crate::engine::progress::Progress;

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
pub fn format(mut format: Format, compression: Option<Compression>, row_group_rows: u32) -> Result<Format, Error> {
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
pub fn format_of(to: &crate::kinds::spec::Output, settings: &ExportSettings) -> Result<Format, Error> {
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
        crate::kinds::spec::Compression::Zstd => Compression::Zstd,
        crate::kinds::spec::Compression::Snappy => Compression::Snappy,
        crate::kinds::spec::Compression::Lz4 => Compression::Lz4,
        crate::kinds::spec::Compression::Deflate => Compression::Deflate,
        crate::kinds::spec::Compression::None => Compression::Uncompressed,
    });
    format(named, compression, settings.row_group_rows)
}

/// The split that a definition names.
///
/// # Errors
/// When the shares do not add up, or the times do not rise.
pub fn split_of(split: &crate::kinds::spec::Split) -> Result<Split, Error> {
    let shares = |parts: &IndexMap<String, f64>| parts.iter().map(|(name, share)| (name.clone(), *share)).collect();
    Ok(match split {
        crate::kinds::spec::Split::Hash { key, seed, parts } => Split::by_hash(key.clone(), *seed, shares(parts))?,
        crate::kinds::spec::Split::Group { key, seed, parts } => Split::by_group(key.clone(), *seed, shares(parts))?,
        crate::kinds::spec::Split::Stratified { key, strata, seed, parts } => {
            Split::stratified(strata.clone(), key.clone(), *seed, shares(parts))?
        }
        crate::kinds::spec::Split::Time { field, parts } => {
            let part = |(name, part): (&String, &crate::kinds::spec::TimePart)| {
                let until = part.until.map(|until| until.to_timestamp(&TimeZone::UTC)).transpose();
                let until = until.map_err(|error| Error::config(format!("where {name} ends: {error}")))?;
                Ok(TimePart { name: name.clone(), until })
            };
            let parts = parts.iter().map(part).collect::<Result<_, Error>>()?;
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
                crate::kinds::spec::Encoding::Numeric => Encoding::Numeric,
                crate::kinds::spec::Encoding::Codes => Encoding::Codes,
                crate::kinds::spec::Encoding::OneHot => Encoding::OneHot,
                crate::kinds::spec::Encoding::Standard => Encoding::Standard,
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
            crate::kinds::spec::Values::One => Values::One,
            crate::kinds::spec::Values::List => Values::List,
            crate::kinds::spec::Values::First => Values::First,
            crate::kinds::spec::Values::Last => Values::Last,
        }),
        malformed: options.malformed.map_or(policy.malformed, |malformed| match malformed {
            crate::kinds::spec::Malformed::Error => Malformed::Error,
            crate::kinds::spec::Malformed::Null => Malformed::Null,
        }),
        missing: options.missing.map_or(policy.missing, |missing| match missing {
            crate::kinds::spec::Missing::Null => Missing::Null,
            crate::kinds::spec::Missing::Error => Missing::Error,
        }),
    }
}

/// Sends the progress of an export on.
pub fn report_to(progress: &Progress) -> impl Fn(es_export::Progress) + '_ {
    let phase = Mutex::new(None);
    move |step| {
        if let Some(total) = step.total {
            progress.set_total(total);
        }
        let before = phase.lock().unwrap_or_else(PoisonError::into_inner).replace(step.phase);
        if before.is_some_and(|before| before != step.phase) {
            progress.restart(match step.phase {
                es_export::Phase::Counting => "counting",
                es_export::Phase::Reading => "reading",
                es_export::Phase::Encoding => "encoding",
            });
        }
        progress.set_bytes(step.bytes);
        progress.advance(step.rows);
    }
}
