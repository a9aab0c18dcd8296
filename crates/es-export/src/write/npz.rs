//! A zip file of NumPy arrays, one a column, as `numpy.savez` writes it.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, Schema};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::FileWriter;
use super::features::{Feature, FeatureDescription, NullPolicy, feature};
use super::file::PatchedFile;
use super::npy::{HEADER, header};
use super::spool::Spool;
use super::tensor::{Element, NullForm, TensorColumn};
use crate::encode::Encoders;
use crate::error::Error;
use crate::manifest::ManifestFile;

/// The largest file in an archive that needs no extension of the zip format.
const PLAIN: u64 = u32::MAX as u64 - 1;

/// The columns of a file of tensors, kept aside.
pub(super) struct Tensors {
    pub(super) columns: Vec<TensorColumn>,
    features: Vec<Feature>,
    pub(super) spool: Spool,
    nulls: NullForm,
    pub(super) rows: u64,
}

impl Tensors {
    pub(super) fn new(
        path: &Path,
        schema: &Schema,
        encoders: Option<&Encoders>,
        nulls: NullForm,
    ) -> Result<Self, Error> {
        let columns: Vec<_> = schema.iter().filter_map(|(name, dtype)| TensorColumn::of(name, dtype)).collect();
        let features = columns.iter().map(|column| feature(&column.name, schema, encoders)).collect();
        let spool = Spool::create(path, columns.len())?;
        Ok(Self { columns, features, spool, nulls, rows: 0 })
    }

    pub(super) fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        for (place, (tensor, column)) in self.columns.iter_mut().zip(frame.columns()).enumerate() {
            self.spool.append(place, |out| tensor.append(column, self.nulls, out))?;
        }
        self.rows += frame.height() as u64;
        Ok(())
    }

    /// What the tensors are, once all rows came.
    pub(super) fn features(&self) -> Vec<Feature> {
        let describe = |(tensor, feature): (&TensorColumn, &Feature)| Feature {
            dtype: tensor.element.name().to_owned(),
            shape: Some(tensor.shape(0)[1..].to_vec()),
            unit: tensor.element.unit().map(str::to_owned),
            null_policy: match tensor.element {
                element if element.is_float() => NullPolicy::Nan,
                Element::Instant(_) if self.nulls == NullForm::NotATime => NullPolicy::Nat,
                _ => NullPolicy::Refused,
            },
            nulls: tensor.nulls,
            ..feature.clone()
        };
        self.columns.iter().zip(&self.features).map(describe).collect()
    }
}

pub(super) struct NpzFile {
    folder: PathBuf,
    file: PatchedFile,
    tensors: Tensors,
}

impl NpzFile {
    pub(super) fn create(
        folder: &Path,
        name: &str,
        schema: &Schema,
        encoders: Option<&Encoders>,
    ) -> Result<Self, Error> {
        let file = PatchedFile::create(folder, name)?;
        let tensors = Tensors::new(file.path(), schema, encoders, NullForm::NotATime)?;
        Ok(Self { folder: folder.to_owned(), file, tensors })
    }
}

impl FileWriter for NpzFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.tensors.push(frame)
    }

    fn held_bytes(&self) -> usize {
        self.tensors.spool.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        self.tensors.spool.release()
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        let Self { folder, mut file, mut tensors } = *self;
        let path = file.path().to_owned();
        let rows = tensors.rows;
        let mut archive = ZipWriter::new(file.inner());
        if let Err(error) = fill(&mut archive, &mut tensors, &path) {
            // Dropped, it would try to write what is left once more, and print that it cannot.
            std::mem::forget(archive);
            return Err(error);
        }
        archive.finish().map_err(|source| Error::writing(&path, source.into()))?;
        let description = FeatureDescription::new("npz", file.name(), rows, tensors.features());
        description.write(&folder, file.finish(rows)?)
    }
}

/// Writes the arrays.
fn fill<W: Write + Seek>(archive: &mut ZipWriter<W>, tensors: &mut Tensors, path: &Path) -> Result<(), Error> {
    let rows = tensors.rows;
    for (place, tensor) in tensors.columns.iter().enumerate() {
        let bytes = rows * (tensor.elements() * tensor.element.size()) as u64 + HEADER as u64;
        // Not compressed, as `numpy.savez` does, and all of one day, so that the same rows
        // are the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(bytes > PLAIN);
        archive
            .start_file(format!("{}.npy", tensor.name), options)
            .map_err(|source| Error::writing(path, source.into()))?;
        let mut write = |bytes: &[u8]| archive.write_all(bytes).map_err(|source| Error::writing(path, source));
        write(&header(tensor.element, &tensor.shape(rows)))?;
        tensors.spool.read(place, write)?;
    }
    archive.flush().map_err(|source| Error::writing(path, source))
}
