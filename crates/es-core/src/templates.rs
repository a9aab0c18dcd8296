//! Index templates and component templates: the settings and mappings that new indices get by name.
//!
//! Unknown keys are kept, so that a template can be read, changed in one place and put back.
//!
//! ```no_run
//! use es_core::IndexSettings;
//! use es_core::templates::IndexTemplate;
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

/// The settings, mappings and aliases that a template contributes to an index.
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
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An index template: it applies to new indices, or data streams, whose names match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexTemplate {
    /// The patterns that names are matched against.
    pub index_patterns: Vec<String>,
    /// The component templates that it is composed of, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub composed_of: Vec<String>,
    /// The content that it adds to them.
    #[serde(default)]
    pub template: TemplateContent,
    /// The priority: of several templates that match, the highest applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    /// The owner's version number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The options of a data stream; `{}` for the defaults, `None` for an ordinary index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_stream: Option<Map<String, Value>>,
    /// The owner's metadata (`_meta`).
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// The time of creation, in milliseconds since 1970; set by the server.
    #[serde(default, skip_serializing)]
    pub created_date_millis: Option<u64>,
    /// The time of the last change, in milliseconds since 1970; set by the server.
    #[serde(default, skip_serializing)]
    pub modified_date_millis: Option<u64>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IndexTemplate {
    /// Creates an empty template for these patterns.
    pub fn new<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self { index_patterns: patterns.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// A building block of index templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentTemplate {
    /// The content that it contributes.
    pub template: TemplateContent,
    /// The owner's version number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The owner's metadata (`_meta`).
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// The time of creation, in milliseconds since 1970; set by the server.
    #[serde(default, skip_serializing)]
    pub created_date_millis: Option<u64>,
    /// The time of the last change, in milliseconds since 1970; set by the server.
    #[serde(default, skip_serializing)]
    pub modified_date_millis: Option<u64>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The result of a simulation: the content a new index would get.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SimulatedIndex {
    /// The combined content of the templates.
    pub template: TemplateContent,
    /// Templates that match as well, with a lower priority.
    #[serde(default)]
    pub overlapping: Vec<OverlappingTemplate>,
}

/// A template that matches a name but does not apply.
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
    /// Creates or replaces an index template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for an invalid template, a missing component, or patterns that
    /// overlap with those of another template of the same priority.
    pub async fn put(&self, name: &str, template: &IndexTemplate) -> Result<(), Error> {
        let parts = IndicesPutIndexTemplateParts::Name(name);
        let request = Request::new(Method::Put, parts.url()).json(template).repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// Returns an index template by its name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, name: &str) -> Result<Option<IndexTemplate>, Error> {
        Ok(self.list(name).await?.remove(name))
    }

    /// Lists the index templates whose names match a pattern, by name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list(&self, pattern: &str) -> Result<BTreeMap<String, IndexTemplate>, Error> {
        let request = Request::new(Method::Get, IndicesGetIndexTemplateParts::Name(pattern).url());
        let Some(answer) = self.client.find(&request).await? else { return Ok(BTreeMap::new()) };
        let found: IndexTemplates = answer.json()?;
        Ok(found.index_templates.into_iter().map(|named| (named.name, named.index_template)).collect())
    }

    /// Returns `true` if an index template of this name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        let parts = IndicesExistsIndexTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Head, parts.url())).await
    }

    /// Removes an index template by its exact name. Returns `true` if there was one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for a pattern; else as [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a template")?;
        let parts = IndicesDeleteIndexTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }

    /// Creates or replaces a component template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for an invalid template, or one that would break a template
    /// that is composed of it.
    pub async fn put_component(&self, name: &str, template: &ComponentTemplate) -> Result<(), Error> {
        let parts = ClusterPutComponentTemplateParts::Name(name);
        let request = Request::new(Method::Put, parts.url()).json(template).repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// Returns a component template by its name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get_component(&self, name: &str) -> Result<Option<ComponentTemplate>, Error> {
        Ok(self.list_components(name).await?.remove(name))
    }

    /// Lists the component templates whose names match a pattern, by name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list_components(&self, pattern: &str) -> Result<BTreeMap<String, ComponentTemplate>, Error> {
        let request = Request::new(Method::Get, ClusterGetComponentTemplateParts::Name(&[pattern]).url());
        let Some(answer) = self.client.find(&request).await? else { return Ok(BTreeMap::new()) };
        let found: ComponentTemplates = answer.json()?;
        Ok(found.component_templates.into_iter().map(|named| (named.name, named.component_template)).collect())
    }

    /// Returns `true` if a component template of this name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn component_exists(&self, name: &str) -> Result<bool, Error> {
        let parts = ClusterExistsComponentTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Head, parts.url())).await
    }

    /// Removes a component template by its exact name. Returns `true` if there was one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for a pattern, or while a template is composed of it; else
    /// as [`Client::send`].
    pub async fn delete_component(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a template")?;
        let parts = ClusterDeleteComponentTemplateParts::Name(name);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }

    /// Simulates a new index of this name. `None` if no template matches.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn simulate(&self, index: &str) -> Result<Option<SimulatedIndex>, Error> {
        // In spite of the method, nothing is created.
        let request = Request::new(Method::Post, IndicesSimulateIndexTemplateParts::Name(index).url()).repeatable();
        let found: Simulated = self.client.send(&request).await?.json()?;
        let overlapping = found.overlapping.unwrap_or_default();
        Ok(found.template.map(|template| SimulatedIndex { template, overlapping }))
    }
}
