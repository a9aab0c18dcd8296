//! The moment at which columns are encoded: never, while rows are read where that needs no
//! statistics, or after all rows of the training part were read.

use std::sync::Arc;

use polars::prelude::{DataFrame, Schema};

use super::Export;
use crate::encode::{EncoderPlan, Encoders, Fitter};
use crate::error::Error;
use crate::write::{FileOptions, Format};

/// The moment at which columns are encoded.
pub(super) enum Encoded {
    /// They are written as they were read.
    Not,
    /// As rows come.
    OnTheWay(Arc<Encoders>),
    /// Once all rows of the training part were seen.
    Afterwards(Box<Fitter>),
}

impl Encoded {
    /// The plan for the encodings and the format of an export.
    pub(super) fn plan(export: &Export, schema: &Schema) -> Result<Self, Error> {
        let is_matrix = export.files.format == Format::Npy;
        if export.encodings.is_empty() && !is_matrix {
            return Ok(Self::Not);
        }
        let plan = EncoderPlan::new(schema, &export.encodings, is_matrix)?;
        if plan.needs_fitting() {
            return Ok(Self::Afterwards(Box::new(plan.fitter())));
        }
        Ok(Self::OnTheWay(Arc::new(plan.fitter().finish()?)))
    }

    /// Checks that the format holds the columns. The result of an
    /// encoding is known by its type, except for the columns of its values, which every format holds.
    pub(super) fn check(&self, format: &FileOptions, schema: &Schema) -> Result<(), Error> {
        match self {
            Self::Not => format.check(schema),
            Self::OnTheWay(encoders) => format.check(&encoders.schema(schema)?),
            Self::Afterwards(fitter) => {
                let encoded = fitter.clone().finish()?.schema(schema)?;
                if encoded.is_empty() { Ok(()) } else { format.check(&encoded) }
            }
        }
    }

    /// The encoders, where they are known already.
    pub(super) fn encoders(&self) -> Option<&Encoders> {
        match self {
            Self::OnTheWay(encoders) => Some(encoders),
            Self::Not | Self::Afterwards(_) => None,
        }
    }

    /// The rows as they are written now.
    pub(super) fn see(&mut self, rows: DataFrame, is_training: bool) -> Result<DataFrame, Error> {
        match self {
            Self::Not => Ok(rows),
            Self::OnTheWay(encoders) => encoders.apply(&rows),
            Self::Afterwards(fitter) => {
                if is_training {
                    fitter.observe(&rows)?;
                }
                Ok(rows)
            }
        }
    }
}
