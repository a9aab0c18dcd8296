//! A version of the tracking server to a folder of ours.

use reqwest::Response;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

use super::push::{DESCRIPTION, LAYOUT, MODEL, TOKENIZER};
use super::wire::Refusal;
use super::{Mlflow, MlflowVersion};
use crate::error::{Error, ErrorKind};
use crate::model_reference::ModelReference;
use crate::registry::checksum::Checksum;
use crate::registry::folder::{ModelFolder, StoredFile, Unfinished, io_error, unfinished};
use crate::registry::version::{NewVersion, Version};
use crate::signature::Signature;

/// The path of a version's files, which the server's own pages use.
const ARTIFACT: &str = "model-versions/get-artifact";

/// A version that was pulled.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// The version on the server.
    pub version: MlflowVersion,
    /// Its file in the folder.
    pub file: StoredFile,
    /// The version as [`Mlflow::push`] described it there, to be registered. None where another program
    /// put it there: its signature is then to be read from the file.
    pub described: Option<NewVersion>,
}

impl Pulled {
    /// The version, with its number on the server. `signature` is that of a version which another program put
    /// there.
    pub fn into_version(self, signature: Signature) -> Version {
        let Self { version, file, described } = self;
        let new = described.unwrap_or_else(|| NewVersion::onnx(&version.model, &file, signature));
        new.into_version(version.number, version.at)
    }
}

/// The file [`DESCRIPTION`].
#[derive(Deserialize)]
struct Description {
    layout: u32,
    version: NewVersion,
}

impl Mlflow {
    /// Pulls the file of a version, or of the one that an alias points to now, into a folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model, version, alias, or file `model.onnx`;
    /// [`ErrorKind::Damaged`] when the file is not that which was pushed; [`ErrorKind::Io`] when the
    /// folder cannot be written; [`ErrorKind::Mlflow`] when the server cannot be asked.
    pub async fn pull(&self, reference: &ModelReference, folder: &ModelFolder) -> Result<Pulled, Error> {
        let version = self.version(reference).await?;
        let described = self.described(&version).await?;
        let pushed = described.as_ref().and_then(|described| Some((described.sha256?, described.bytes?)));
        let file = match pushed {
            // A file that the folder has under this checksum is that which was pushed.
            Some((sha256, bytes)) if folder.open(sha256).await.is_ok() => {
                StoredFile { path: StoredFile::path_of(sha256), sha256, bytes }
            }
            _ => {
                let source = self.download(&version, MODEL, folder).await?;
                folder.put(&source.0).await?
            }
        };
        self.check(&version, "file", file.sha256, pushed.map(|(sha256, _)| sha256))?;
        if let Some(text) = described.as_ref().and_then(|described| described.text.as_ref())
            && folder.open_tokenizer(text.tokenizer.sha256).await.is_err()
        {
            let source = self.download(&version, TOKENIZER, folder).await?;
            let tokenizer = folder.put_tokenizer(&source.0).await?;
            self.check(&version, "tokenizer", tokenizer.sha256, Some(text.tokenizer.sha256))?;
        }
        Ok(Pulled { version, file, described })
    }

    fn check(
        &self,
        version: &MlflowVersion,
        what: &str,
        found: Checksum,
        pushed: Option<Checksum>,
    ) -> Result<(), Error> {
        match pushed {
            Some(sha256) if sha256 != found => {
                let message = format!(
                    "the {what} of version {} of {} at {} has the checksum {found}, and {sha256} was pushed",
                    version.number, version.model, self.uri
                );
                Err(Error::new(ErrorKind::Damaged, message).with_help("push the version again"))
            }
            _ => Ok(()),
        }
    }

    async fn described(&self, version: &MlflowVersion) -> Result<Option<NewVersion>, Error> {
        let response = match self.artifact(version, DESCRIPTION).await? {
            Ok(response) => response,
            Err(refusal) if refusal.status == 404 => return Ok(None),
            Err(refusal) => return Err(refusal.into_error(self)),
        };
        let body = self.body(ARTIFACT, response).await?;
        let damaged = |why: String| {
            let message =
                format!("{DESCRIPTION} of version {} of {} at {} {why}", version.number, version.model, self.uri);
            Error::new(ErrorKind::Damaged, message).with_help("push the version again")
        };
        let found: Description = serde_json::from_slice(&body)
            .map_err(|error| damaged(format!("cannot be read: {error}")).with_source(error))?;
        if found.layout > LAYOUT {
            return Err(damaged(format!("has layout {}, and those to {LAYOUT} are known", found.layout)));
        }
        Ok(Some(found.version))
    }

    async fn artifact(&self, version: &MlflowVersion, path: &str) -> Result<Result<Response, Refusal>, Error> {
        let number = version.number.to_string();
        self.open(ARTIFACT, &[("path", path), ("name", &version.model), ("version", &number)]).await
    }

    /// Downloads a file a piece at a time.
    async fn download(&self, version: &MlflowVersion, file: &str, folder: &ModelFolder) -> Result<Unfinished, Error> {
        let name = format!("GET /{ARTIFACT}");
        let mut response = match self.artifact(version, file).await? {
            Ok(response) => response,
            Err(refusal) if refusal.status == 404 => {
                let message =
                    format!("version {} of {} at {} has no file {file}", version.number, version.model, self.uri);
                return Err(Error::new(ErrorKind::NotFound, message).with_help("log it with mlflow.onnx.log_model"));
            }
            Err(refusal) => return Err(refusal.into_error(self)),
        };
        let failed = |error| io_error(folder.root(), "written", error);
        tokio::fs::create_dir_all(folder.root()).await.map_err(failed)?;
        let unfinished = unfinished(folder.root());
        let mut target = tokio::fs::File::create_new(&unfinished.0).await.map_err(failed)?;
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(&name, error))? {
            target.write_all(&piece).await.map_err(failed)?;
        }
        target.flush().await.map_err(failed)?;
        Ok(unfinished)
    }
}
