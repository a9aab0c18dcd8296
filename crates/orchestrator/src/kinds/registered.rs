//! Registered models of assets: looked up by their reference, and registered from the `models` section where the
//! registry has none yet.
//!
//! Kinds that run models share this: [`inference`](super::inference) and [`embedding`](super::embedding). The
//! use that they make of a version is theirs.

use std::path::PathBuf;

use es_core::Client;
use es_serving::registry::{Location, Version};
use es_serving::{ErrorKind as ServingKind, ModelReference, ModelVersion};

use super::{Subject, Work};
use crate::error::Result;
use crate::models::{self, DeclaredModel};
use crate::project::Project;

/// The name of the model among the inputs of a part.
pub const INPUT: &str = "model";

/// A model that a reference names.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// A version of the registry.
    Registered(Box<Version>),
    /// An entry of the `models` section, which the next build registers as version 1.
    Declared(&'a DeclaredModel),
}

/// Looks a model up, and registers nothing.
///
/// # Errors
/// At the key `model`, when the registry has no such version and none is declared; as the registry.
pub async fn find<'a, D>(asset: &Subject<'a, D>, client: &Client, asked: &ModelReference) -> Result<Found<'a>> {
    match models::registry(asset.project, client)?.version(asked).await {
        Ok(version) => Ok(Found::Registered(Box::new(version))),
        Err(error) if error.kind() == ServingKind::NotFound => match declared(asset.project, asked) {
            Some(declared) => Ok(Found::Declared(declared)),
            None => Err(asset.error_at("model", &error.to_string(), Some(&unknown(asked, error.help())))),
        },
        Err(error) => Err(error.into()),
    }
}

/// Registers a model that only the `models` section has.
///
/// # Errors
/// As [`models::register_declared`].
pub async fn register<D>(asset: &Subject<'_, D>, work: &Work<'_>, asked: &ModelReference) -> Result<()> {
    match declared(asset.project, asked) {
        Some(declared) => models::register_declared(asset.project, work.client, asked.name(), declared, work.run).await,
        None => Ok(()),
    }
}

/// The version of a model, for comparing what a part was made of with what there is now. A version that is registered
/// from the `models` section is the same before and after.
pub fn version(name: &str, number: u32) -> String {
    format!("{name}/{number}")
}

/// The folder's file of a version that is scored in this process.
///
/// # Errors
/// At the key `model`, when the version has no file; as the folder.
pub async fn file<D>(asset: &Subject<'_, D>, version: &Version) -> Result<PathBuf> {
    let place = match (&version.location, version.sha256) {
        (Location::File(_), Some(sha256)) => return Ok(models::folder(asset.project).open(sha256).await?),
        (Location::File(place) | Location::Uri(place), _) => place,
    };
    let message =
        format!("version {} of {} is {place}, and no file that can be scored here", version.number, version.model);
    let help = "register the model with its file, or name the `server` that has it";
    Err(asset.error_at("model", &message, Some(help)))
}

/// The entry of the `models` section for a model, if its first registration is what was asked for.
fn declared<'a>(project: &'a Project, asked: &ModelReference) -> Option<&'a DeclaredModel> {
    let declared = project.settings.models.get(asked.name())?;
    let is_asked = match asked.version() {
        ModelVersion::Alias(alias) => declared.alias.as_ref() == Some(alias),
        ModelVersion::Number(number) => number.get() == 1,
    };
    is_asked.then_some(declared)
}

fn unknown(asked: &ModelReference, help: Option<&str>) -> String {
    let register = format!(
        "register one with `orchestrator models register {} MODEL.onnx`, or declare it in the section `models`",
        asked.name()
    );
    match help {
        Some(help) => format!("{help}; or {register}"),
        None => register,
    }
}
