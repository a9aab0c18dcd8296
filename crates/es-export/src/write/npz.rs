//! A zip file of NumPy arrays, one a column, as `numpy.savez` writes it.

use std::io::{Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::ManifestFile;
use super::features::Feature;
use super::file::PatchedFile;
use super::npy::{HEADER, header};
use super::tensor::NullForm;
use super::tensor_file::{Layout, Tensors};
use crate::error::Error;

/// The largest file in an archive that needs no extension of the zip format.
const PLAIN: u64 = u32::MAX as u64 - 1;

/// The archive.
pub(super) struct Npz(PatchedFile);

impl Layout for Npz {
    const FORMAT: &'static str = "npz";
    const NULLS: NullForm = NullForm::NotATime;

    fn begin(folder: &Path, name: &str) -> Result<Self, Error> {
        Ok(Self(PatchedFile::create(folder, name)?))
    }

    fn finish(self, tensors: &mut Tensors, _: &[Feature]) -> Result<ManifestFile, Error> {
        let Self(mut file) = self;
        let path = file.path().to_owned();
        let mut archive = ZipWriter::new(file.inner());
        if let Err(error) = fill(&mut archive, tensors, &path) {
            // Dropped, it would try to write what is left once more, and print that it cannot.
            std::mem::forget(archive);
            return Err(error);
        }
        archive.finish().map_err(|source| Error::writing(&path, source.into()))?;
        file.finish(tensors.rows)
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
