//! Settings: what may be set in the file, in an environment of the file, in
//! environment variables and by flags. Their defaults are written here and nowhere
//! else.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use es_assets::{Defaults, Retries, SecretRef, merge};
use es_bulk::BulkOptions;
use es_export::ExportOptions;
use es_serving::embedding::TextEncoder;
use es_serving::registry::PromotionRule;
use es_serving::registry::mlflow::MlflowOptions;
use es_values::schema::{FieldNames, Hosts};
use es_values::{ByteSize, TimeSpan};

/// Every setting. `Settings::default()` holds all defaults; the layers above them are
/// put on with [`overlay`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The connection to Elasticsearch.
    pub cluster: ClusterSettings,
    /// The options of runs.
    pub run: RunSettings,
    /// The options of indexing documents.
    pub bulk: BulkOptions,
    /// The options of reading documents.
    pub export: ExportOptions,
    /// The defaults of all assets.
    pub defaults: Defaults,
    /// The options of models that are scored in this process.
    pub inference: InferenceSettings,
    /// The models that are registered from files where the registry has none of that name.
    #[schemars(extend("propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" }))]
    pub models: IndexMap<String, DeclaredModel>,
    /// The registry of models.
    pub registry: RegistrySettings,
}

impl Settings {
    /// The top-level keys of a pipeline file that hold settings.
    pub const SECTIONS: [&str; 8] = ["cluster", "run", "bulk", "export", "defaults", "inference", "models", "registry"];

    /// The options of bulk loads, with the limit on requests of the connection.
    pub fn bulk_options(&self) -> BulkOptions {
        self.bulk.clone().with_request_timeout(self.cluster.request_timeout.to_duration())
    }
}

/// Models that are scored in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceSettings {
    /// The shared library of ONNX Runtime; without it, `ORT_DYLIB_PATH`, or the one beside the program.
    #[schemars(extend("format" = "text"))]
    pub library: Option<String>,
    /// The folder of registered model files.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    pub folder: String,
}

impl Default for InferenceSettings {
    fn default() -> Self {
        Self { library: None, folder: ".orchestrator/models".to_owned() }
    }
}

/// The registry of models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RegistrySettings {
    /// Indices of the cluster, under the prefix.
    #[default]
    Elasticsearch,
    /// An MLflow tracking server. The history of its aliases is kept in the cluster.
    Mlflow(MlflowOptions<SecretRef>),
}

/// A model that is registered from a file where the registry has none of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredModel {
    /// The file, in the format ONNX.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    pub file: String,
    /// The alias that points to it from then on.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub alias: Option<String>,
    /// The columns of a row, in the order in which the model takes them; without them, the names of its
    /// inputs.
    #[schemars(with = "Option<FieldNames>")]
    pub inputs: Option<Vec<String>>,
    /// The rule that a version must pass to take the place of the one that an alias points to.
    pub promotion: Option<PromotionRule>,
    /// The manifest of the export that it was trained on, whose encoders are applied to the rows.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    pub manifest: Option<String>,
    /// The tokenizer of a model that embeds texts, and the use of its output.
    pub text: Option<TextEncoder<String>>,
}

/// The connection to Elasticsearch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// The nodes to talk to; without them and a `cloud_id`, `http://localhost:9200`.
    /// Excludes `cloud_id`.
    #[schemars(with = "Option<Hosts>")]
    pub hosts: Option<Vec<String>>,
    /// The deployment on Elastic Cloud to talk to. Excludes `hosts`.
    #[schemars(extend("format" = "text"))]
    pub cloud_id: Option<String>,
    /// The prefix of the names of all indices and aliases; without it, the name of
    /// the pipeline and a hyphen.
    #[schemars(extend("format" = "index-prefix", "pattern" = "^([a-z0-9][^A-Z\\s\\\\/*?\"<>|,#:]*)?$"))]
    pub index_prefix: Option<String>,
    /// An API key, encoded or as `id:key`.
    pub api_key: Option<SecretRef>,
    /// The user for basic authentication.
    #[schemars(extend("format" = "text"))]
    pub user: Option<String>,
    /// The password of `user`.
    pub password: Option<SecretRef>,
    /// A bearer token.
    pub bearer_token: Option<SecretRef>,
    /// The token of a service account.
    pub service_token: Option<SecretRef>,
    /// The path of a PEM file with the certificate authorities to trust.
    #[schemars(extend("format" = "text"))]
    pub ca_cert: Option<String>,
    /// The SHA-256 fingerprint of the certificate authority to trust, in hexadecimal.
    #[schemars(extend("format" = "fingerprint", "pattern" = "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"))]
    pub ca_fingerprint: Option<String>,
    /// The path of a PEM file with the client's certificate.
    #[schemars(extend("format" = "text"))]
    pub client_cert: Option<String>,
    /// The path of a PEM file with the key of `client_cert`.
    #[schemars(extend("format" = "text"))]
    pub client_key: Option<String>,
    /// The verification of the server's certificate.
    pub verify: VerifyCertificates,
    /// The HTTP proxy to go through. `http_proxy` and `no_proxy` of the environment are not
    /// read.
    #[schemars(extend("format" = "proxy", "pattern" = "^https?://[^@]+$"))]
    pub proxy: Option<String>,
    /// The user that the proxy knows.
    #[schemars(extend("format" = "text"))]
    pub proxy_user: Option<String>,
    /// The password of `proxy_user`.
    pub proxy_password: Option<SecretRef>,
    /// Headers to send with every request, such as a token for a gateway.
    #[schemars(extend("propertyNames" = {
        "format": "header-name", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
    }))]
    pub headers: IndexMap<String, SecretRef>,
    /// The search for other nodes of the cluster. Excludes `cloud_id`.
    pub sniffing: Sniffing,
    /// The age at which the list of nodes is asked for again, where `sniffing` is
    /// `continuous`.
    pub sniff_every: TimeSpan,
    /// The time to wait for a connection.
    pub connect_timeout: TimeSpan,
    /// The time to wait for a response.
    pub request_timeout: TimeSpan,
    /// The time that a connection is silent before TCP asks whether the other side still lives.
    pub tcp_keep_alive: TimeSpan,
    /// The time that a connection without a request is kept for the next one.
    pub idle_timeout: TimeSpan,
    /// The greatest size of a response once it is unpacked.
    pub max_response_size: ByteSize,
    /// Compress requests and responses with gzip: it costs more processor
    /// time than it saves on a fast network.
    pub compression: bool,
    /// The retries of a request that may be repeated.
    pub retries: Retries,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            hosts: None,
            cloud_id: None,
            index_prefix: None,
            api_key: None,
            user: None,
            password: None,
            bearer_token: None,
            service_token: None,
            ca_cert: None,
            ca_fingerprint: None,
            client_cert: None,
            client_key: None,
            verify: VerifyCertificates::Full,
            proxy: None,
            proxy_user: None,
            proxy_password: None,
            headers: IndexMap::new(),
            sniffing: Sniffing::Never,
            sniff_every: TimeSpan::minutes(5),
            connect_timeout: TimeSpan::seconds(5),
            request_timeout: TimeSpan::seconds(90),
            tcp_keep_alive: TimeSpan::seconds(60),
            idle_timeout: TimeSpan::seconds(50),
            max_response_size: ByteSize::mebibytes(512),
            compression: false,
            retries: Retries::default(),
        }
    }
}

/// The verification of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyCertificates {
    /// Its authority and its host name.
    Full,
    /// Its authority alone.
    Certificate,
    /// Nothing: anyone may answer.
    None,
}

/// The search for other nodes of the cluster. A cluster that publishes addresses which
/// cannot be reached from here keeps the ones that are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sniffing {
    /// The configured nodes are all that are used.
    Never,
    /// Once, when the connection is made.
    AtStart,
    /// At the start, after a node has failed, and every `sniff_every`.
    Continuous,
}

/// The options of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The number of steps at once; a step is an asset, or a partition of one.
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// The number of superseded generations of an index that are kept.
    pub keep: u32,
    /// A run that writes documents checks first that the disks of the cluster have
    /// room: past the flood stage, or with every data node past the high watermark, it is
    /// refused.
    pub disk_check: bool,
    /// The time that a part stays reserved for a run that no longer renews its lease; so long other
    /// machines wait after a run was killed.
    pub lease: TimeSpan,
    /// The time that records of the history are kept; the newest of each part are always kept.
    pub history: TimeSpan,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { concurrency: 4, keep: 1, disk_check: true, lease: TimeSpan::seconds(30), history: TimeSpan::days(90) }
    }
}

/// The keys of `cluster` of which a layer that sets one takes the others away from the
/// layers below.
const EXCLUSIVE: [&[&str]; 3] =
    [&["hosts", "cloud_id"], &["api_key", "user", "bearer_token", "service_token"], &["ca_cert", "ca_fingerprint"]];
/// The keys of `cluster` whose value is replaced whole: merging `{ env: A }` with
/// `{ file: B }` would refer to two secrets.
const WHOLE: [&str; 5] = ["api_key", "password", "bearer_token", "service_token", "proxy_password"];

/// Puts `layer` over `base`: objects are merged key by key, anything else replaced.
///
/// A layer that says how to connect or to authenticate does so alone: its `hosts`
/// remove a `cloud_id` of `base` and the other way round, its `api_key`, `user`,
/// `bearer_token` or `service_token` remove the others, and a `password` stays only with a
/// `user`. A `ca_cert` removes a `ca_fingerprint` and the other way round. A new `proxy` does not learn the user and password of the one before.
///
/// ```
/// use serde_json::json;
///
/// let mut settings = json!({ "cluster": { "hosts": ["http://a:9200"], "index_prefix": "x-" } });
/// orchestrator::settings::overlay(&mut settings, json!({ "cluster": { "cloud_id": "prod:abc" } }));
/// assert_eq!(settings, json!({ "cluster": { "cloud_id": "prod:abc", "index_prefix": "x-" } }));
/// ```
pub fn overlay(base: &mut Value, layer: Value) {
    if let Some((below, above)) =
        base.get_mut("cluster").and_then(Value::as_object_mut).zip(layer.get("cluster").and_then(Value::as_object))
    {
        make_way(below, above);
    }
    merge(base, layer);
}

fn make_way(below: &mut Map<String, Value>, above: &Map<String, Value>) {
    let sets = |key: &str| above.get(key).is_some_and(|value| !value.is_null());
    for group in EXCLUSIVE {
        if group.iter().any(|key| sets(key)) {
            for key in group.iter().filter(|key| !sets(key)) {
                below.shift_remove(*key);
            }
        }
    }
    if sets("api_key") || sets("bearer_token") || sets("service_token") {
        below.shift_remove("password");
    }
    if sets("proxy") {
        below.shift_remove("proxy_user");
        below.shift_remove("proxy_password");
    }
    // The values of headers are references to secrets, too.
    if let (Some(kept), Some(set)) =
        (below.get_mut("headers").and_then(Value::as_object_mut), above.get("headers").and_then(Value::as_object))
    {
        kept.retain(|name, _| !set.contains_key(name));
    }
    for key in WHOLE.iter().filter(|key| sets(key)) {
        below.shift_remove(*key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_survive_serialization() {
        let value = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(value["bulk"]["batch_bytes"], json!("8mb"));
        let back: Settings = serde_json::from_value(value).unwrap();
        assert_eq!(back, Settings::default());
    }

    #[test]
    fn sections_are_the_fields() {
        let value = serde_json::to_value(Settings::default()).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, Settings::SECTIONS);
    }

    #[test]
    fn layers_merge_and_exclude() {
        let cases = [
            (
                "other keys stay",
                json!({ "run": { "keep": 2 } }),
                json!({ "run": { "concurrency": 5 }, "bulk": { "concurrency": 1 } }),
                json!({ "run": { "keep": 2, "concurrency": 5 }, "bulk": { "concurrency": 1 } }),
            ),
            (
                "lists are replaced",
                json!({ "cluster": { "hosts": ["http://a", "http://b"] } }),
                json!({ "cluster": { "hosts": ["http://c"] } }),
                json!({ "cluster": { "hosts": ["http://c"] } }),
            ),
            (
                "a secret is replaced whole",
                json!({ "cluster": { "api_key": { "file": "key" } } }),
                json!({ "cluster": { "api_key": { "env": "KEY" } } }),
                json!({ "cluster": { "api_key": { "env": "KEY" } } }),
            ),
            (
                "an api key ousts user and password",
                json!({ "cluster": { "user": "u", "password": { "env": "P" } } }),
                json!({ "cluster": { "api_key": { "env": "KEY" } } }),
                json!({ "cluster": { "api_key": { "env": "KEY" } } }),
            ),
            (
                "a service token ousts an api key",
                json!({ "cluster": { "api_key": { "env": "KEY" } } }),
                json!({ "cluster": { "service_token": { "env": "TOKEN" } } }),
                json!({ "cluster": { "service_token": { "env": "TOKEN" } } }),
            ),
            (
                "another proxy does not learn the password of the first",
                json!({ "cluster": { "proxy": "http://a", "proxy_user": "u", "proxy_password": { "env": "P" } } }),
                json!({ "cluster": { "proxy": "http://b" } }),
                json!({ "cluster": { "proxy": "http://b" } }),
            ),
            (
                "headers are replaced one by one",
                json!({ "cluster": { "headers": { "X-A": { "env": "A" }, "X-B": { "env": "B" } } } }),
                json!({ "cluster": { "headers": { "X-A": { "file": "a" } } } }),
                json!({ "cluster": { "headers": { "X-B": { "env": "B" }, "X-A": { "file": "a" } } } }),
            ),
            (
                "a password joins the user below it",
                json!({ "cluster": { "user": "u" } }),
                json!({ "cluster": { "password": { "env": "P" } } }),
                json!({ "cluster": { "user": "u", "password": { "env": "P" } } }),
            ),
            (
                "null takes a value away",
                json!({ "cluster": { "cloud_id": "x" } }),
                json!({ "cluster": { "cloud_id": null } }),
                json!({ "cluster": { "cloud_id": null } }),
            ),
        ];
        for (what, mut base, layer, expected) in cases {
            overlay(&mut base, layer);
            assert_eq!(base, expected, "{what}");
            serde_json::from_value::<Settings>(base).unwrap();
        }
    }
}
