//! The optional features of a cluster, found out by requests rather than by its version.
//!
//! If it exists, one request (`GET _xpack`) answers for most features; the others are requested one
//! by one. Nothing is written, and no index is searched.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Deserialize;
use serde_json::json;

use super::licence::includes_machine_learning;
use super::{Cluster, LicenceAnswer, absence};
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// The lifetime of an answer: licences and modules change with restarts and by hand.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// An optional feature of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Inline scripts in Painless.
    Scripting,
    /// The ES|QL query language.
    Esql,
    /// The SQL query language.
    Sql,
    /// Index lifecycle management.
    LifecycleManagement,
    /// Data streams.
    DataStreams,
    /// Machine learning: anomaly jobs and trained models.
    MachineLearning,
    /// Transforms.
    Transforms,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Scripting,
        Self::Esql,
        Self::Sql,
        Self::LifecycleManagement,
        Self::DataStreams,
        Self::MachineLearning,
        Self::Transforms,
    ];

    /// The name of the feature in `_xpack`, which does not list scripting.
    fn feature(self) -> Option<&'static str> {
        match self {
            Self::Scripting => None,
            Self::Esql => Some("esql"),
            Self::Sql => Some("sql"),
            Self::LifecycleManagement => Some("ilm"),
            Self::DataStreams => Some("data_streams"),
            Self::MachineLearning => Some("ml"),
            Self::Transforms => Some("transform"),
        }
    }

    /// A request that only this feature answers, and that changes nothing.
    fn request(self) -> Request {
        match self {
            Self::Scripting => Request::new(Method::Get, "/_script_language"),
            Self::Esql => {
                Request::new(Method::Post, "/_query").json(&json!({"query": "ROW a = 1 | LIMIT 1"})).repeatable()
            }
            Self::Sql => Request::new(Method::Post, "/_sql")
                .query("format", "json")
                .json(&json!({"query": "SELECT 1"}))
                .repeatable(),
            Self::LifecycleManagement => Request::new(Method::Get, "/_ilm/status"),
            Self::DataStreams => Request::new(Method::Get, "/_data_stream/es-core-asks-for-none*"),
            Self::MachineLearning => Request::new(Method::Get, "/_ml/info"),
            Self::Transforms => Request::new(Method::Get, "/_transform/es-core-asks-for-none*"),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scripting => "scripting",
            Self::Esql => "ES|QL",
            Self::Sql => "SQL",
            Self::LifecycleManagement => "ILM",
            Self::DataStreams => "data streams",
            Self::MachineLearning => "machine learning",
            Self::Transforms => "transforms",
        })
    }
}

/// The availability of a capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is available.
    Available,
    /// The cluster lacks it, or it is switched off.
    Missing {
        /// The reason, in one line.
        why: String,
    },
    /// The licence does not cover it.
    NotLicensed {
        /// The licence in force.
        licence: String,
    },
    /// It could not be determined.
    Unknown {
        /// The reason, in one line.
        error: String,
    },
}

/// The capabilities of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    found: BTreeMap<Capability, Availability>,
}

impl Capabilities {
    /// The availability of a capability.
    pub fn of(&self, capability: Capability) -> &Availability {
        // Every capability is requested, so a missing one is unknown.
        static UNASKED: Availability = Availability::Unknown { error: String::new() };
        self.found.get(&capability).unwrap_or(&UNASKED)
    }

    /// Returns `true` if a capability is certainly available.
    pub fn has(&self, capability: Capability) -> bool {
        *self.of(capability) == Availability::Available
    }

    /// Every capability.
    pub fn iter(&self) -> impl Iterator<Item = (Capability, &Availability)> {
        self.found.iter().map(|(capability, availability)| (*capability, availability))
    }
}

/// The last answer, and its time.
#[derive(Debug, Default)]
pub(crate) struct CapabilityCache {
    last: Mutex<Option<(Instant, Capabilities)>>,
}

impl CapabilityCache {
    fn get(&self, now: Instant) -> Option<Capabilities> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| now.duration_since(*at) < GOOD_FOR).map(|(_, found)| found.clone())
    }

    fn put(&self, now: Instant, found: Capabilities) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, found));
    }
}

#[derive(Deserialize)]
struct Info {
    license: Option<InfoLicence>,
    #[serde(default)]
    features: BTreeMap<String, Feature>,
}

#[derive(Deserialize)]
struct InfoLicence {
    #[serde(rename = "type", default)]
    name: String,
}

#[derive(Clone, Copy, Deserialize)]
struct Feature {
    /// `true` if the licence covers it.
    available: bool,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
struct ScriptLanguages {
    #[serde(default)]
    types_allowed: Vec<String>,
    #[serde(default)]
    language_contexts: Vec<ScriptLanguage>,
}

#[derive(Deserialize)]
struct ScriptLanguage {
    language: String,
}

impl Cluster<'_> {
    /// Returns the capabilities of the cluster. They are requested at most every five minutes; clones of
    /// a client share the answer. An answer with an [`Availability::Unknown`] is not kept.
    pub async fn capabilities(&self) -> Capabilities {
        let cache = self.client.capability_cache();
        if let Some(found) = cache.get(Instant::now()) {
            return found;
        }
        let request = Request::new(Method::Get, "/_xpack").query("categories", "license,features");
        let info: Option<Info> = match self.get(request).await {
            Ok(response) => response.json().ok(),
            Err(_) => None,
        };
        let licence = match info.as_ref().and_then(|info| info.license.as_ref()) {
            Some(licence) => Some(licence.name.clone()),
            None => match self.licence().await {
                Ok(LicenceAnswer::Licensed(licence)) => Some(licence.name),
                _ => None,
            },
        };
        let licence = licence.as_deref();
        let features = info.map(|info| info.features).unwrap_or_default();
        let asked = Capability::ALL.map(|capability| {
            let told = capability.feature().and_then(|name| features.get(name)).copied();
            async move {
                let availability = match told {
                    Some(feature) => of_feature(feature, licence),
                    None => self.probe(capability, licence).await,
                };
                (capability, availability)
            }
        });
        let found = Capabilities { found: join_all(asked).await.into_iter().collect() };
        let is_certain = !found.iter().any(|(_, availability)| matches!(availability, Availability::Unknown { .. }));
        if is_certain {
            cache.put(Instant::now(), found.clone());
        }
        found
    }

    async fn probe(&self, capability: Capability, licence: Option<&str>) -> Availability {
        let answer = self.get(capability.request()).await;
        if capability != Capability::Scripting {
            return of_probe(capability, answer.map(|_| ()), licence);
        }
        match answer {
            Ok(response) => match response.json() {
                Ok(languages) => of_languages(&languages),
                Err(error) => Availability::Unknown { error: error.to_string() },
            },
            // Most users may not list the languages. The API of Painless itself is refused only where Painless
            // exists.
            Err(error) if absence::is_unauthorized(&error) => {
                let painless = self.get(Request::new(Method::Get, "/_scripts/painless/_context")).await;
                of_probe(capability, painless.map(|_| ()), licence)
            }
            Err(error) => of_probe(capability, Err(error), licence),
        }
    }
}

fn of_feature(feature: Feature, licence: Option<&str>) -> Availability {
    match feature {
        Feature { enabled: false, .. } => Availability::Missing { why: "it is switched off".to_owned() },
        Feature { available: false, .. } => not_licensed(licence),
        Feature { .. } => Availability::Available,
    }
}

fn of_languages(languages: &ScriptLanguages) -> Availability {
    let missing = |why: &str| Availability::Missing { why: why.to_owned() };
    if !languages.language_contexts.iter().any(|language| language.language == "painless") {
        missing("the module lang-painless is not installed")
    } else if !languages.types_allowed.iter().any(|allowed| allowed == "inline") {
        missing("script.allowed_types does not allow inline scripts")
    } else {
        Availability::Available
    }
}

/// The availability that the answer to a feature's own request proves. Every licence includes all of
/// them but machine learning, so a missing privilege proves the feature.
fn of_probe(capability: Capability, answer: Result<(), Error>, licence: Option<&str>) -> Availability {
    let lacks_licence =
        capability == Capability::MachineLearning && licence.is_some_and(|name| !includes_machine_learning(name));
    match answer {
        Err(error) if error.kind() == ErrorKind::LicenceMissing => not_licensed(licence),
        Err(error) if absence::is_unauthorized(&error) && lacks_licence => not_licensed(licence),
        Err(error) if absence::is_unauthorized(&error) => Availability::Available,
        Err(error) => match absence::reason(&error) {
            Some(why) => Availability::Missing { why },
            None => Availability::Unknown { error: error.to_string() },
        },
        Ok(()) if lacks_licence => not_licensed(licence),
        Ok(()) => Availability::Available,
    }
}

fn not_licensed(licence: Option<&str>) -> Availability {
    Availability::NotLicensed { licence: licence.unwrap_or("unknown").to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::server_error::{ServerError, kind_of};

    fn refusal(status: u16, reason: &str) -> Result<(), Error> {
        let server = ServerError { reason: reason.to_owned(), ..ServerError::default() };
        Err(Error::new(kind_of(status, Some(&server)), reason).with_status(status).with_server(server))
    }

    fn name(availability: &Availability) -> &'static str {
        match availability {
            Availability::Available => "available",
            Availability::Missing { .. } => "missing",
            Availability::NotLicensed { .. } => "not licensed",
            Availability::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn answers_to_a_probe_mean() {
        use Capability::{MachineLearning, Sql};
        let unauthorized = "action [x] is unauthorized for user [u] with effective roles [r]";
        let non_compliant = "current license is non-compliant for [ml]";
        let table = [
            (Sql, Ok(()), Some("basic"), "available"),
            (Sql, refusal(400, "no handler found for uri [/_sql] and method [POST]"), None, "missing"),
            (
                Sql,
                refusal(405, "Incorrect HTTP method for uri [/_sql] and method [POST], allowed: [GET]"),
                None,
                "missing",
            ),
            (Sql, refusal(403, unauthorized), Some("basic"), "available"),
            (Sql, refusal(500, "something broke"), None, "unknown"),
            (Sql, refusal(400, "line 1:1: no viable alternative"), None, "unknown"),
            (MachineLearning, Ok(()), Some("basic"), "not licensed"),
            (MachineLearning, Ok(()), Some("trial"), "available"),
            (MachineLearning, Ok(()), None, "available"),
            (MachineLearning, refusal(403, non_compliant), Some("gold"), "not licensed"),
            (MachineLearning, refusal(403, unauthorized), Some("basic"), "not licensed"),
            (MachineLearning, refusal(403, unauthorized), Some("enterprise"), "available"),
        ];
        for (capability, answer, licence, expected) in table {
            let told = format!("{capability} {answer:?} {licence:?}");
            assert_eq!(name(&of_probe(capability, answer, licence)), expected, "{told}");
        }
    }

    #[test]
    fn features_and_languages_mean() {
        let feature = |available, enabled| of_feature(Feature { available, enabled }, Some("basic"));
        assert_eq!(feature(true, true), Availability::Available);
        assert_eq!(feature(false, true), Availability::NotLicensed { licence: "basic".into() });
        assert_eq!(name(&feature(true, false)), "missing");
        let languages = |types: &[&str], names: &[&str]| {
            of_languages(&ScriptLanguages {
                types_allowed: types.iter().map(|text| (*text).to_owned()).collect(),
                language_contexts: names.iter().map(|name| ScriptLanguage { language: (*name).to_owned() }).collect(),
            })
        };
        assert_eq!(languages(&["inline", "stored"], &["expression", "painless"]), Availability::Available);
        let Availability::Missing { why } = languages(&["stored"], &["painless"]) else { panic!("inline is off") };
        assert!(why.contains("script.allowed_types"));
        let Availability::Missing { why } = languages(&["inline"], &["mustache"]) else { panic!("no painless") };
        assert!(why.contains("lang-painless"));
    }

    #[test]
    fn an_answer_is_kept_for_a_while() {
        let (cache, now) = (CapabilityCache::default(), Instant::now());
        assert_eq!(cache.get(now), None);
        let found = Capabilities { found: BTreeMap::from([(Capability::Sql, Availability::Available)]) };
        cache.put(now, found.clone());
        assert_eq!(cache.get(now + GOOD_FOR - Duration::from_millis(1)), Some(found));
        assert_eq!(cache.get(now + GOOD_FOR), None);
    }
}
