//! Files with a tensor a column: the columns are kept aside while the rows come, and laid out
//! one after another at the end.
//!
//! The layout of a format is its own; the tensors themselves are described here, in the
//! description beside the file.

use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, Schema};

use super::FileWriter;
use super::ManifestFile;
use super::features::{Feature, FeatureDescription, NullPolicy, feature};
use super::spool::Spool;
use super::tensor::{Element, NullForm, TensorColumn};
use crate::encode::Encoders;
use crate::error::Error;

/// The layout of a format's tensors.
pub(super) trait Layout: Send + Sized {
    /// The format's name.
    const FORMAT: &'static str;
    /// The form of a null.
    const NULLS: NullForm;

    /// Begins the file.
    fn begin(folder: &Path, name: &str) -> Result<Self, Error>;

    /// Writes all tensors, of which this is the description, and puts the file on disk.
    fn finish(self, tensors: &mut Tensors, features: &[Feature]) -> Result<ManifestFile, Error>;
}

/// The columns of a file, kept aside.
pub(super) struct Tensors {
    pub(super) columns: Vec<TensorColumn>,
    pub(super) spool: Spool,
    pub(super) rows: u64,
}

/// A file of tensors.
pub(super) struct TensorFile<L> {
    folder: PathBuf,
    layout: L,
    tensors: Tensors,
    features: Vec<Feature>,
}

impl<L: Layout> TensorFile<L> {
    pub(super) fn create(
        folder: &Path,
        name: &str,
        schema: &Schema,
        encoders: Option<&Encoders>,
    ) -> Result<Self, Error> {
        let layout = L::begin(folder, name)?;
        let columns: Vec<_> = schema.iter().filter_map(|(name, dtype)| TensorColumn::of(name, dtype)).collect();
        let features = columns.iter().map(|column| feature(&column.name, schema, encoders)).collect();
        let spool = Spool::create(&folder.join(name), columns.len())?;
        Ok(Self { folder: folder.to_owned(), layout, tensors: Tensors { columns, spool, rows: 0 }, features })
    }
}

/// A feature with what is known of its tensor once all rows came.
fn described(tensor: &TensorColumn, feature: Feature, nulls: NullForm) -> Feature {
    Feature {
        dtype: tensor.element.name().to_owned(),
        shape: Some(tensor.shape(0)[1..].to_vec()),
        unit: tensor.element.unit().map(str::to_owned),
        null_policy: match tensor.element {
            element if element.is_float() => NullPolicy::Nan,
            Element::Instant(_) if nulls == NullForm::NotATime => NullPolicy::Nat,
            _ => NullPolicy::Refused,
        },
        nulls: tensor.nulls,
        ..feature
    }
}

impl<L: Layout> FileWriter for TensorFile<L> {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let Tensors { columns, spool, rows } = &mut self.tensors;
        for (place, (tensor, column)) in columns.iter_mut().zip(frame.columns()).enumerate() {
            spool.append(place, |out| tensor.append(column, L::NULLS, out))?;
        }
        *rows += frame.height() as u64;
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.tensors.spool.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        self.tensors.spool.release()
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        let Self { folder, layout, mut tensors, features } = *self;
        let described = |(tensor, feature)| described(tensor, feature, L::NULLS);
        let features: Vec<_> = tensors.columns.iter().zip(features).map(described).collect();
        let file = layout.finish(&mut tensors, &features)?;
        FeatureDescription::new(L::FORMAT, &file.path, tensors.rows, features).write(&folder, file)
    }
}
