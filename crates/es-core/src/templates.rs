//! Index templates and component templates: what new indices of a name are made with.
//!
//! Keys that this crate does not know are kept, so that a template can be read, changed in
//! one place and put back.
//!
//! ```no_run
//! use es_core::{IndexSettings, IndexTemplate};
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let mut template = IndexTemplate::new(["flights-*"]);
//! template.priority = Some(200);
//! template.template.settings = Some(IndexSettings::default().with("number_of_replicas", 0));
//! client.templates().put("flights", &template).await?;
//! let applied = client.templates().simulate("flights-2026").await?;
//! println!("{applied:?}");
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;

use elasticsearch::cluster::{
    ClusterDeleteComponentTemplateParts, ClusterExistsComponentTemplateParts, ClusterGetComponentTemplateParts,
    ClusterPutComponentTemplateParts,
};
use elasticsearch::indices::{
    IndicesDeleteIndexTemplateParts, IndicesExistsIndexTemplateParts, IndicesGetIndexTemplateParts,
    IndicesPutIndexTemplateParts, IndicesSimulateIndexTemplateParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Client;
use crate::data_streams::DataLifecycle;
use crate::error::Error;
use crate::indices::{AliasOptions, require_exact_name};
use crate::mapping::Mapping;
use crate::request::{Method, Request};
use crate::settings::IndexSettings;

/// What a template gives to an index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateContent {
    /// Settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<IndexSettings>,
    /// Mappings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mappings: Option<Mapping>,
    /// Aliases by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<BTreeMap<String, AliasOptions>>,
    /// The lifecycle of a data stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<DataLifecycle>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A template for the indices, or data streams, whose names match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexTemplate {
    /// The patterns of the names.
    pub index_patterns: Vec<String>,
    /// The component templates that it starts from, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub composed_of: Vec<String>,
    /// What it adds to them.
    #[serde(default)]
    pub template: TemplateContent,
    /// Of several templates that match, the one with the highest priority is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    /// A version of the owner's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whether matching names become data streams, and how; `{}` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_stream: Option<Map<String, Value>>,
    /// What the owner noted.
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// When it was made, in milliseconds since 1970; the server's own.
    #[serde(default, skip_serializing)]
    pub created_date_millis: Option<u64>,
    /// When it was changed, in milliseconds since 1970; the server's own.
    #[serde(default, skip_serializing)]
    pub modified_date_millis: Option<u64>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IndexTemplate {
    /// An empty template for these names.
    pub fn new<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self { index_patterns: patterns.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// A part that index templates are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentTemplate {
    /// What it gives.
    pub template: TemplateContent,
    /// A version of the owner's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What the owner noted.
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// When it was made, in milliseconds since 1970; the server's own.
    #[serde(default, skip_serializing)]
    pub created_date_millis: Option<u64>,
    /// When it was changed, in milliseconds since 1970; the server's own.
    #[serde(default, skip_serializing)]
    pub modified_date_millis: Option<u64>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What an index of a name would be made with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SimulatedIndex {
    /// All that the templates give it.
    pub template: TemplateContent,
    /// Templates that match too and lose.
    #[serde(default)]
    pub overlapping: Vec<OverlappingTemplate>,
}

/// A template that matches a name and is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OverlappingTemplate {
    /// Its name.
    pub name: String,
    /// Its patterns.
    pub index_patterns: Vec<String>,
}

/// The templates of a cluster.
pub struct Templates<'a> {
    client: &'a Client,
}

impl Client {
    /// Index templates and component templates.
    pub fn templates(&self) -> Templates<'_> {
        Templates { client: self }
    }
}

#[derive(Deserialize)]
struct IndexTemplates {
    index_templates: Vec<NamedIndexTemplate>,
}

#[derive(Deserialize)]
struct NamedIndexTemplate {
    name: String,
    index_template: IndexTemplate,
}

#[derive(Deserialize)]
struct ComponentTemplates {
    component_templates: Vec<NamedComponentTemplate>,
}

#[derive(Deserialize)]
struct NamedComponentTemplate {
    name: String,
    component_template: ComponentTemplate,
}

#[derive(Deserialize)]
struct Simulated {
    template: Option<TemplateContent>,
    #[serde(default)]
    overlapping: Option<Vec<OverlappingTemplate>>,
}

impl Templates<'_> {
    /// Makes or replaces an index template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for one that makes no sense, names a missing component, or
    /// matches the same names as another one of the same priority.
    pub async fn put(&self, name: &str, template: &IndexTemplate) -> Result<(), Error> {
        let parts = IndicesPutIndexTemplateParts::Name(name);
        let request = Request::new(Method::Put, parts.url()).json(template).repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// The index template of a name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, name: &str) -> Result<Option<IndexTemplate>, Error> {
        Ok(self.list(name).await?.remove(name))
    }

    /// The index templates whose names match a pattern, by name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list(&self, pattern: &str) -> Result<BTreeMap<String, IndexTemplate>, Error> {
        let request = Request::new(Method::Get, IndicesGetIndexTemplateParts::Name(pattern).url());
        let Some(answer) = self.client.find(&request).await? else { return Ok(BTreeMap::new()) };
        let found: IndexTemplates = answer.json()?;
        Ok(found.index_templates.into_iter().map(|named| (named.name, named.index_template)).collect())
    }

    /// Whether an index template of the name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        let parts = IndicesExistsIndexTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Head, parts.url())).await
    }

    /// Removes an index template by its exact name; returns whether there was one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for a pattern; else as [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a template")?;
        let parts = IndicesDeleteIndexTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }

    /// Makes or replaces a component template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for one that makes no sense, or would break a template
    /// that is composed of it.
    pub async fn put_component(&self, name: &str, template: &ComponentTemplate) -> Result<(), Error> {
        let parts = ClusterPutComponentTemplateParts::Name(name);
        let request = Request::new(Method::Put, parts.url()).json(template).repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// The component template of a name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get_component(&self, name: &str) -> Result<Option<ComponentTemplate>, Error> {
        Ok(self.list_components(name).await?.remove(name))
    }

    /// The component templates whose names match a pattern, by name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list_components(&self, pattern: &str) -> Result<BTreeMap<String, ComponentTemplate>, Error> {
        let request = Request::new(Method::Get, ClusterGetComponentTemplateParts::Name(&[pattern]).url());
        let Some(answer) = self.client.find(&request).await? else { return Ok(BTreeMap::new()) };
        let found: ComponentTemplates = answer.json()?;
        Ok(found.component_templates.into_iter().map(|named| (named.name, named.component_template)).collect())
    }

    /// Whether a component template of the name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn component_exists(&self, name: &str) -> Result<bool, Error> {
        let parts = ClusterExistsComponentTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Head, parts.url())).await
    }

    /// Removes a component template by its exact name; returns whether there was one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for a pattern, or while a template is composed of it; else
    /// as [`Client::send`].
    pub async fn delete_component(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a template")?;
        let parts = ClusterDeleteComponentTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }

    /// What a new index of the name would be made with; nothing if no template matches.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn simulate(&self, index: &str) -> Result<Option<SimulatedIndex>, Error> {
        // Nothing is made, whatever the method says.
        let request = Request::new(Method::Post, IndicesSimulateIndexTemplateParts::Name(index).url()).repeatable();
        let found: Simulated = self.client.send(&request).await?.json()?;
        let overlapping = found.overlapping.unwrap_or_default();
        Ok(found.template.map(|template| SimulatedIndex { template, overlapping }))
    }
}
