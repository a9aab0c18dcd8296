//! An export whose files are whole, and which no reader sees yet.

use std::fmt;
use std::sync::Arc;

use crate::commit::Staging;
use crate::error::{Error, ErrorKind};
use crate::manifest::Manifest;

/// An export whose files are whole, beside its destination. Dropping it removes them.
pub struct ReadyExport {
    manifest: Manifest,
    /// The text of the manifest's file.
    text: Vec<u8>,
    staging: Arc<Staging>,
}

impl ReadyExport {
    pub(super) fn new(manifest: Manifest, staging: Arc<Staging>) -> Result<Self, Error> {
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|source| Error::new(ErrorKind::Io, "the manifest cannot be written").with_source(source))?;
        Ok(Self { manifest, text, staging })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Moves the files to the destination, in one step.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] and [`ErrorKind::DiskFull`]; the destination is then as it was.
    pub async fn commit(self) -> Result<Manifest, Error> {
        let Self { manifest, text, staging } = self;
        let committed = tokio::task::spawn_blocking(move || staging.commit(&text)).await;
        committed.map_err(|source| Error::new(ErrorKind::Io, "the commit failed").with_source(source))??;
        Ok(manifest)
    }
}

impl fmt::Debug for ReadyExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyExport").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}
