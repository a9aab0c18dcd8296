//! Listing and resolving.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Registry;
use super::alias::{AliasMove, AliasState};
use super::diff::Difference;
use super::names::{check_name, those_there};
use super::store::{Order, VersionBody, alias_id, damaged, version_id};
use super::version::Version;
use crate::error::{Error, ErrorKind};
use crate::model_reference::{ModelReference, ModelVersion};

/// A model, in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSummary {
    /// The name.
    pub model: String,
    /// The newest version.
    pub newest: Version,
    /// The aliases with the version of each.
    pub aliases: BTreeMap<String, u32>,
}

impl Registry {
    /// The models by name, each with its newest version and its aliases.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn models(&self) -> Result<Vec<ModelSummary>, Error> {
        let mut aliases: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for step in self.newest_moves(None).await? {
            aliases.entry(step.model).or_default().insert(step.alias, step.to);
        }
        let versions = json!({"term": {"record": "version"}});
        let newest: Vec<VersionBody> = self
            .store
            .first_of_each(&[versions], "model", &json!({"number": "desc"}), |body: &VersionBody| {
                body.version.model.clone()
            })
            .await?;
        let summary = |body: VersionBody| {
            let aliases = aliases.remove(&body.version.model).unwrap_or_default();
            ModelSummary { model: body.version.model.clone(), newest: body.version, aliases }
        };
        Ok(newest.into_iter().map(summary).collect())
    }

    /// All versions of a model, the newest first.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model; [`ErrorKind::Elasticsearch`] when it cannot
    /// be asked.
    pub async fn versions(&self, model: &str) -> Result<Vec<Version>, Error> {
        check_name("model", model)?;
        let found: Vec<VersionBody> = self
            .store
            .all(&versions_of(model), "number", Order::Descending, |body: &VersionBody| body.version.number)
            .await?;
        let Some(newest) = found.first().map(|body| body.version.number) else {
            return Err(self.no_model(model).await?);
        };
        let mut found = found.into_iter().map(|body| body.version).peekable();
        let mut versions = Vec::new();
        for number in (1..=newest).rev() {
            match found.next_if(|version| version.number == number) {
                Some(version) => versions.push(version),
                // Searches see a document with the next refresh, reads by id at once.
                None => versions.push(self.existing(model, number).await?),
            }
        }
        Ok(versions)
    }

    /// The version that a reference names, or that its alias points to now. A retired one is returned
    /// too: [`Version::is_retired`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model, version or alias, with those that there
    /// are; [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn version(&self, reference: &ModelReference) -> Result<Version, Error> {
        let model = reference.name();
        match reference.version() {
            ModelVersion::Number(number) => self.numbered(model, number.get()).await,
            ModelVersion::Alias(alias) => {
                let newest = self.alias(model, alias).await?;
                self.existing(model, newest.to).await
            }
        }
    }

    /// The newest move of an alias, which says to which version it points, since when and why.
    ///
    /// # Errors
    /// As [`Registry::version`].
    pub async fn alias(&self, model: &str, alias: &str) -> Result<AliasMove, Error> {
        check_name("model", model)?;
        check_name("alias", alias)?;
        let found = self.store.get::<AliasState>(&alias_id(model, alias)).await?;
        match found.and_then(|found| found.source.newest) {
            Some(newest) => Ok(newest),
            None => Err(self.no_alias(model, alias).await?),
        }
    }

    /// The newest move of each alias of a model, by alias.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn aliases(&self, model: &str) -> Result<Vec<AliasMove>, Error> {
        check_name("model", model)?;
        self.newest_moves(Some(model)).await
    }

    /// The difference of two versions.
    ///
    /// # Errors
    /// As [`Registry::version`].
    pub async fn diff(&self, model: &str, from: u32, to: u32) -> Result<Difference, Error> {
        let (old, new) = (self.numbered(model, from).await?, self.numbered(model, to).await?);
        Ok(Difference::between(&old, &new))
    }

    /// The version of a number.
    pub(crate) async fn numbered(&self, model: &str, number: u32) -> Result<Version, Error> {
        check_name("model", model)?;
        match self.store.get::<VersionBody>(&version_id(model, number)).await? {
            Some(found) => Ok(found.source.version),
            None => Err(self.no_version(model, number).await?),
        }
    }

    /// The version of a number that another document refers to.
    async fn existing(&self, model: &str, number: u32) -> Result<Version, Error> {
        match self.store.get::<VersionBody>(&version_id(model, number)).await? {
            Some(found) => Ok(found.source.version),
            None => Err(damaged(&self.store.index, format!("version {number} of {model} is gone"))),
        }
    }

    pub(crate) async fn alias_states(&self, model: Option<&str>) -> Result<Vec<AliasState>, Error> {
        let mut filter = vec![json!({"term": {"record": "alias"}})];
        filter.extend(model.map(|model| json!({"term": {"model": model}})));
        let key = |state: &AliasState| alias_id(&state.model, &state.alias);
        self.store.all(&filter, "key", Order::Ascending, key).await
    }

    async fn newest_moves(&self, model: Option<&str>) -> Result<Vec<AliasMove>, Error> {
        Ok(self.alias_states(model).await?.into_iter().filter_map(|state| state.newest).collect())
    }

    async fn newest_number(&self, model: &str) -> Result<Option<u32>, Error> {
        let query = json!({"bool": {"filter": versions_of(model)}});
        let documents = self.store.client.documents(&self.store.index);
        let found =
            documents.search::<super::store::Stored<VersionBody>>(&query, &json!([{"number": "desc"}]), 1).await?;
        Ok(found.first().map(|found| found.source.body.version.number))
    }

    async fn no_model(&self, model: &str) -> Result<Error, Error> {
        let models = self.models().await?;
        let help = those_there(model, "models", models.iter().map(|summary| summary.model.as_str()));
        Ok(Error::new(ErrorKind::NotFound, format!("there is no model {model}")).with_help(help))
    }

    async fn no_version(&self, model: &str, number: u32) -> Result<Error, Error> {
        let help = match self.newest_number(model).await? {
            None => return self.no_model(model).await,
            Some(1) => "its only version is 1".to_owned(),
            Some(newest) => format!("its versions are 1 to {newest}"),
        };
        Ok(Error::new(ErrorKind::NotFound, format!("the model {model} has no version {number}")).with_help(help))
    }

    async fn no_alias(&self, model: &str, alias: &str) -> Result<Error, Error> {
        let aliases = self.newest_moves(Some(model)).await?;
        if aliases.is_empty() && self.newest_number(model).await?.is_none() {
            return self.no_model(model).await;
        }
        let help = those_there(alias, &format!("aliases of {model}"), aliases.iter().map(|step| step.alias.as_str()));
        Ok(Error::new(ErrorKind::NotFound, format!("the model {model} has no alias {alias}")).with_help(help))
    }
}

pub(crate) fn versions_of(model: &str) -> Vec<Value> {
    vec![json!({"term": {"record": "version"}}), json!({"term": {"model": model}})]
}
