//! What the manifest says of an export that is complete.

use jiff::Timestamp;
use polars::prelude::{CompatLevel, Schema};

use super::Export;
use super::plan;
use super::state::{Finished, PartFile};
use crate::encode::Encoders;
use crate::error::{Error, ErrorKind};
use crate::manifest::{MANIFEST_VERSION, Manifest, ManifestColumn, ManifestFormat, ManifestPart, ManifestVersions};
use crate::read::Origin;
use crate::split::Split;
use crate::write::Format;

/// What is known at the end.
pub(super) struct Outcome<'a> {
    pub(super) export: &'a Export,
    pub(super) source: Origin,
    /// The Elasticsearch types of the columns that were read.
    pub(super) field_types: Vec<(String, String)>,
    pub(super) split: Option<Split>,
    /// The columns that were written, those that are folders included.
    pub(super) written: &'a Schema,
    /// The columns of the files.
    pub(super) in_files: &'a Schema,
    pub(super) finished: Finished,
    pub(super) encoders: Option<Encoders>,
}

impl Outcome<'_> {
    /// The manifest, after the account of the split was checked.
    pub(super) fn manifest(self) -> Result<Manifest, Error> {
        let Finished { rows, files, proof, resumed, .. } = self.finished;
        let (proof, keys) = match (&self.split, &proof) {
            (Some(split), Some(proof)) => {
                let (proof, keys) = proof.check(split)?;
                (Some(proof), keys.into_iter().map(Some).collect())
            }
            _ => (None, vec![None; plan::parts(self.export).len()]),
        };
        let part = |(place, (name, keys)): (usize, (String, _))| {
            let files: Vec<_> =
                files.iter().filter(|file| file.part == place).map(|PartFile { file, .. }| file.clone()).collect();
            ManifestPart { name, rows: files.iter().map(|file| file.rows).sum(), keys, files }
        };
        let parts: Vec<ManifestPart> = plan::parts(self.export).into_iter().zip(keys).enumerate().map(part).collect();
        let in_parts: u64 = parts.iter().map(|part| part.rows).sum();
        if in_parts != rows {
            return Err(Error::new(ErrorKind::Incomplete, format!("{rows} rows were read and {in_parts} written"))
                .with_help("this should not happen; nothing was changed, so try again and report it"));
        }
        let elasticsearch = |name: &str| {
            self.field_types.iter().find(|(of, _)| of == name).map(|(_, name)| name.clone()).unwrap_or_default()
        };
        let column = |name: &str, schema: &Schema| {
            let dtype = schema.get(name)?;
            Some(ManifestColumn {
                name: name.to_owned(),
                elasticsearch: elasticsearch(name),
                polars: dtype.to_string(),
                arrow: format!("{:?}", dtype.to_arrow(CompatLevel::oldest())),
            })
        };
        Ok(Manifest {
            manifest_version: MANIFEST_VERSION,
            created: Timestamp::now(),
            versions: ManifestVersions {
                es_export: env!("CARGO_PKG_VERSION").to_owned(),
                polars: Some(polars::VERSION.to_owned()),
            },
            source: self.source,
            rows,
            resumed,
            format: format(&self.export.format),
            columns: self.in_files.iter_names().filter_map(|name| column(name, self.in_files)).collect(),
            partition_by: self.export.partition_by.iter().filter_map(|name| column(name, self.written)).collect(),
            transform: self.export.transform.as_ref().map(|transform| transform.describe()),
            split: self.split,
            proof,
            parts,
            encoders: self.encoders,
            notes: self.export.notes.clone(),
        })
    }
}

fn format(format: &Format) -> ManifestFormat {
    let row_group_rows = match format {
        Format::Parquet(options) => Some(options.row_group_rows),
        _ => None,
    };
    ManifestFormat {
        name: format.name().to_owned(),
        compression: Some(format.compression().as_str().to_owned()),
        row_group_rows,
    }
}
