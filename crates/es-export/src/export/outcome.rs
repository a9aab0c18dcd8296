//! The manifest of a complete export.

use jiff::Timestamp;
use polars::prelude::{CompatLevel, Schema};

use super::Export;
use super::complete::Complete;
use super::plan;
use super::state::{Finished, PartFile};
use crate::error::{Error, ErrorKind};
use crate::manifest::{MANIFEST_VERSION, Manifest, ManifestColumn, ManifestFormat, ManifestPart, ManifestVersions};
use crate::write::{FileOptions, Format};

/// The result of an export.
pub(super) struct Outcome<'a> {
    pub(super) export: &'a Export,
    pub(super) complete: Complete,
    /// The columns of the files.
    pub(super) in_files: &'a Schema,
    pub(super) files: Vec<PartFile>,
}

impl Outcome<'_> {
    /// The manifest, after the account of the split was checked.
    pub(super) fn manifest(self) -> Result<Manifest, Error> {
        let Self { export, complete, in_files, files } = self;
        let Complete { source, field_types, split, written, finished, encoders } = complete;
        let Finished { rows, proof, resumed, restarted, .. } = finished;
        let (proof, keys) = match (&split, &proof) {
            (Some(split), Some(proof)) => {
                let (proof, keys) = proof.check(split)?;
                (Some(proof), keys.into_iter().map(Some).collect())
            }
            _ => (None, vec![None; plan::parts(export).len()]),
        };
        let part = |(place, (name, keys)): (usize, (String, _))| {
            let files: Vec<_> =
                files.iter().filter(|file| file.part == place).map(|PartFile { file, .. }| file.clone()).collect();
            ManifestPart { name, rows: files.iter().map(|file| file.rows).sum(), keys, files }
        };
        let parts: Vec<ManifestPart> = plan::parts(export).into_iter().zip(keys).enumerate().map(part).collect();
        let in_parts: u64 = parts.iter().map(|part| part.rows).sum();
        if in_parts != rows {
            return Err(Error::new(ErrorKind::Incomplete, format!("{rows} rows were read and {in_parts} written"))
                .with_help("this should not happen; nothing was changed, so try again and report it"));
        }
        let elasticsearch = |name: &str| {
            field_types.iter().find(|(of, _)| of == name).map(|(_, name)| name.clone()).unwrap_or_default()
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
            source,
            rows,
            resumed,
            restarted,
            format: format(&export.files),
            columns: in_files.iter_names().filter_map(|name| column(name, in_files)).collect(),
            partition_by: export.partition_by.iter().filter_map(|name| column(name, &written)).collect(),
            transform: export.transform.as_ref().map(|transform| transform.describe()),
            split,
            proof,
            parts,
            encoders,
            notes: export.notes.clone(),
        })
    }
}

fn format(files: &FileOptions) -> ManifestFormat {
    let row_group_rows = (files.format == Format::Parquet).then_some(files.parquet.row_group_rows);
    ManifestFormat {
        name: files.format.as_str().to_owned(),
        compression: Some(files.compression().as_str().to_owned()),
        row_group_rows,
    }
}
