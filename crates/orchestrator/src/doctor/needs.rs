//! The requirements of a pipeline on the cluster: privileges, features, fields. Pure.
//!
//! The privileges are those of the requests that this program sends, and no more. A new request
//! gets its line here; the test `a_user_with_exactly_the_role_runs_the_pipeline` fails without it.

use std::path::PathBuf;

use es_assets::Output;
use es_core::cluster::{Capability, IndexPrivileges, PrivilegeRequest};
use es_serving::ingest_pipeline;

use crate::error::Result;
use crate::project::Project;

/// The object of a privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// The cluster.
    Cluster,
    /// Indices of a name or pattern.
    Indices(String),
}

/// A privilege, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The privilege, by name or as an action.
    pub privilege: &'static str,
    /// The object of the privilege.
    pub on: On,
    /// The work that cannot be done without it.
    pub purpose: &'static str,
    /// A run fails without it; otherwise only this command sees less.
    pub required: bool,
}

/// A field whose values are grouped, counted or computed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNeed {
    /// The asset that needs it.
    pub asset: String,
    /// The alias of the documents.
    pub index: String,
    /// The field.
    pub field: String,
}

/// An export, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportNeed {
    /// The asset.
    pub asset: String,
    /// The alias of the documents.
    pub index: String,
    /// The columns; all without them.
    pub columns: Option<Vec<String>>,
}

/// Everything that is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Privileges, those on the cluster first.
    pub privileges: Vec<Need>,
    /// Features of the cluster, each with the asset that needs it.
    pub capabilities: Vec<(Capability, String)>,
    /// Fields that are aggregated.
    pub fields: Vec<FieldNeed>,
    /// Exports.
    pub exports: Vec<ExportNeed>,
    /// Assets that run a model in this process.
    pub scored_here: Vec<String>,
    /// The library that runs models, where the settings name it.
    pub library: Option<PathBuf>,
}

const ANY_PIPELINE: [(&str, &str, bool); 6] = [
    ("view_index_metadata", "to look up what is published, and its mappings", true),
    ("read", "to read documents and the history of runs", true),
    ("create_index", "to make indices, that of the history among them", true),
    ("index", "to write documents, the history of runs and leases", true),
    ("delete", "to remove records of the history that are too old", true),
    ("monitor", "to look at the sizes of shards, which only `doctor` does", false),
];

/// The actions have no smaller named privilege than `manage`, which allows far more.
const INDEX_ASSETS: [(&str, &str, bool); 5] = [
    ("maintenance", "to refresh an index once it is loaded", true),
    ("delete_index", "to remove superseded and unfinished generations", true),
    ("indices:admin/mapping/put", "to note in an index that it is whole", true),
    ("indices:admin/settings/update", "to switch refreshing on again after a load", true),
    ("indices:admin/aliases", "to publish: to move an alias to a new generation", true),
];

const SOURCE: [(&str, &str, bool); 2] = [
    ("read", "to read documents that others write", true),
    ("view_index_metadata", "to look up the mappings of what others write", true),
];

impl Needs {
    /// The needs of a pipeline under a prefix, with sources outside the prefix. Without a
    /// pipeline, what any pipeline under the prefix does.
    pub fn of(project: Option<&Project>, prefix: Option<&str>, sources: &[String]) -> Self {
        let mut needs = Self::default();
        let mut add = |on: &On, list: &[(&'static str, &'static str, bool)]| {
            needs.privileges.extend(list.iter().map(|(privilege, purpose, required)| Need {
                privilege,
                on: on.clone(),
                purpose,
                required: *required,
            }));
        };
        add(&On::Cluster, &[("monitor", "to look at nodes, disks and health; a run goes on without", false)]);
        if let Some(prefix) = prefix {
            let under = On::Indices(format!("{prefix}*"));
            add(&under, &ANY_PIPELINE);
            let makes_indices = |project: &Project| {
                let mut assets = project.pipeline.assets().values();
                assets.any(|asset| asset.output() == Output::Documents && !asset.definition().is_evaluated())
            };
            if project.is_none_or(makes_indices) {
                add(&under, &INDEX_ASSETS);
            }
        }
        for source in sources {
            add(&On::Indices(source.clone()), &SOURCE);
        }
        if let Some(project) = project {
            for (name, asset) in project.pipeline.assets() {
                let Ok(kind) = project.kinds.of(asset) else { continue };
                kind.needs(project, name, asset, &mut needs);
                if kind.index_spec(asset).is_some_and(|spec| spec.pipeline.is_some()) {
                    needs.ingest_pipelines();
                }
            }
        }
        needs
    }

    /// Adds an index that others write, which an asset reads.
    pub fn reads_source(&mut self, index: &str) {
        let on = On::Indices(index.to_owned());
        if self.privileges.iter().any(|need| need.on == on) {
            return;
        }
        self.privileges.extend(SOURCE.iter().map(|(privilege, purpose, required)| Need {
            privilege,
            on: on.clone(),
            purpose,
            required: *required,
        }));
    }

    /// Adds what ingest pipelines take.
    fn ingest_pipelines(&mut self) {
        let [privilege, ..] = ingest_pipeline::PRIVILEGES;
        if !self.privileges.iter().any(|need| need.privilege == privilege) {
            let purpose = "to try, create and remove the ingest pipelines of assets";
            self.privileges.push(Need { privilege, on: On::Cluster, purpose, required: true });
        }
    }

    /// Adds a feature of the cluster that an asset uses.
    pub fn capability(&mut self, capability: Capability, asset: &str) {
        self.capabilities.push((capability, asset.to_owned()));
    }

    /// Adds fields of an index whose values an asset groups, counts or computes with.
    pub fn aggregates(&mut self, asset: &str, index: Result<String>, fields: impl IntoIterator<Item = String>) {
        let Ok(index) = index else { return };
        for field in fields {
            let need = FieldNeed { asset: asset.to_owned(), index: index.clone(), field };
            if !self.fields.contains(&need) {
                self.fields.push(need);
            }
        }
    }

    /// The privileges as the cluster is asked for them.
    pub fn request(&self) -> PrivilegeRequest {
        let mut request = PrivilegeRequest::default();
        for need in &self.privileges {
            match &need.on {
                On::Cluster => request.cluster.push(need.privilege.to_owned()),
                On::Indices(pattern) => {
                    match request.indices.iter_mut().find(|indices| indices.names.contains(pattern)) {
                        Some(indices) => indices.privileges.push(need.privilege.to_owned()),
                        None => request.indices.push(IndexPrivileges {
                            names: vec![pattern.clone()],
                            privileges: vec![need.privilege.to_owned()],
                        }),
                    }
                }
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = r#"version: 1
name: p
assets:
  a: { kind: ingest, from: { path: a.csv }, checks: [ { unique: [id] } ] }
  f:
    kind: features
    from: a
    entity: [city]
    time: at
    every: 1d
    windows: [7d]
    features:
      n: { count: {} }
      empty: { missing: { field: note } }
      speed: { avg: { script: "1" } }
      places: { cardinality: { field: place } }
      share: { ratio: { of: { sum: { field: part } }, to: { count: {} } } }
  e: { kind: export, from: a, columns: [city], to: { path: out } }
  m:
    kind: monitor
    of: a
    time: at
    reference: { from: 2024-01-01, to: 2024-02-01 }
    current: { from: 2024-02-01, to: 2024-03-01 }
    fields: { value: { method: ks, p: 0.01 } }
"#;

    fn privileges(needs: &Needs, on: &On) -> Vec<&'static str> {
        needs.privileges.iter().filter(|need| need.on == *on).map(|need| need.privilege).collect()
    }

    #[test]
    fn what_each_kind_needs() {
        let project = Project::of_text(PIPELINE, "x-");
        let needs = Needs::of(Some(&project), Some("x-"), &["logs-*".to_owned()]);
        let fields: Vec<(&str, &str)> =
            needs.fields.iter().map(|need| (need.asset.as_str(), need.field.as_str())).collect();
        let expected =
            [("a", "id"), ("f", "at"), ("f", "city"), ("f", "place"), ("f", "part"), ("m", "at"), ("m", "value")];
        assert_eq!(fields, expected);
        assert!(needs.fields.iter().all(|need| need.index == "x-a"));
        assert_eq!(needs.capabilities, [(Capability::Scripting, "f".to_owned())]);
        let export = ExportNeed { asset: "e".into(), index: "x-a".into(), columns: Some(vec!["city".into()]) };
        assert_eq!(needs.exports, [export]);
        assert_eq!(privileges(&needs, &On::Cluster), ["monitor"]);
        assert_eq!(privileges(&needs, &On::Indices("logs-*".into())), ["read", "view_index_metadata"]);
        assert_eq!(privileges(&needs, &On::Indices("x-*".into())).len(), ANY_PIPELINE.len() + INDEX_ASSETS.len());
        let request = needs.request();
        assert_eq!(request.indices.len(), 2);
        assert_eq!(request.indices[0].names, ["x-*"]);
    }

    #[test]
    fn ingest_pipelines_take_a_privilege_on_the_cluster() {
        let piped = "index: { pipeline: { processors: [{ lowercase: { field: a } }] } }";
        let text = PIPELINE.replace("checks: [ { unique: [id] } ]", piped);
        let needs = Needs::of(Some(&Project::of_text(&text, "x-")), Some("x-"), &[]);
        assert_eq!(privileges(&needs, &On::Cluster), ["monitor", "manage_ingest_pipelines"]);
    }

    #[test]
    fn a_pipeline_that_makes_no_index_needs_less() {
        let start = PIPELINE.find("  a: {").unwrap();
        let end = PIPELINE.find("  f:\n").unwrap();
        let text = format!("{}{}", &PIPELINE[..start], &PIPELINE[start..end]);
        let with_index = Project::of_text(&text, "x-");
        let makes = Needs::of(Some(&with_index), Some("x-"), &[]);
        assert!(privileges(&makes, &On::Indices("x-*".into())).contains(&"delete_index"));
        let any = Needs::of(None, Some("x-"), &[]);
        assert_eq!(any.privileges, makes.privileges);
        let nothing = Needs::of(None, None, &["a".to_owned()]);
        assert_eq!(nothing.privileges.len(), 1 + SOURCE.len());
    }
}
