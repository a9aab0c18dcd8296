//! The identity of the client, and its privileges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cluster, absence};
use crate::error::Error;
use crate::request::{Method, Request};

/// An answer that only a cluster with security gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security<T> {
    /// Security is off or missing: everybody may do everything.
    Disabled,
    /// Security is on.
    Enabled(T),
}

/// The identity of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user, or the owner of the API key.
    pub user: String,
    /// The user's roles. Empty for an API key.
    pub roles: Vec<String>,
    /// The realm that knows the user.
    pub realm: String,
    /// `realm`, `api_key`, `token`, `anonymous` or `internal`.
    pub authentication: String,
    /// The name of the API key, if it is one.
    pub api_key: Option<String>,
}

/// The privileges to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrivilegeRequest {
    /// Privileges on the cluster.
    pub cluster: Vec<String>,
    /// Privileges on indices.
    #[serde(rename = "index")]
    pub indices: Vec<IndexPrivileges>,
}

/// Privileges on some indices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IndexPrivileges {
    /// Names and patterns.
    pub names: Vec<String>,
    /// The privileges on each of them, by name, or as actions such as `indices:admin/aliases`.
    pub privileges: Vec<String>,
}

/// A privilege that the client lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UngrantedPrivilege {
    /// The name or pattern of indices; `None` for the cluster.
    pub index: Option<String>,
    /// The privilege.
    pub privilege: String,
}

#[derive(Deserialize)]
struct IdentityBody {
    username: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    authentication_realm: Realm,
    #[serde(default)]
    authentication_type: String,
    api_key: Option<ApiKey>,
}

#[derive(Default, Deserialize)]
struct Realm {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct ApiKey {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct PrivilegesBody {
    #[serde(default)]
    cluster: BTreeMap<String, bool>,
    #[serde(default)]
    index: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Cluster<'_> {
    /// The identity of the client.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes no privilege.
    pub async fn who_am_i(&self) -> Result<Security<Identity>, Error> {
        let answer = self.get(Request::new(Method::Get, "/_security/_authenticate")).await;
        Ok(match unless_absent(answer)? {
            None => Security::Disabled,
            Some(response) => {
                let body: IdentityBody = response.json()?;
                Security::Enabled(Identity {
                    user: body.username,
                    roles: body.roles,
                    realm: body.authentication_realm.name,
                    authentication: body.authentication_type,
                    api_key: body.api_key.map(|key| key.name),
                })
            }
        })
    }

    /// Returns the privileges that the client lacks, those of the cluster first.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes no privilege. A privilege that the server does not
    /// know is [`crate::ErrorKind::BadRequest`].
    pub async fn missing_privileges(
        &self,
        wanted: &PrivilegeRequest,
    ) -> Result<Security<Vec<UngrantedPrivilege>>, Error> {
        let request = Request::new(Method::Post, "/_security/user/_has_privileges").json(wanted).repeatable();
        Ok(match unless_absent(self.get(request).await)? {
            None => Security::Disabled,
            Some(response) => Security::Enabled(missing(wanted, &response.json()?)),
        })
    }
}

fn unless_absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if absence::reason(&error).is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The requested privileges that are not granted, in the order of the request. A privilege that the
/// answer leaves out is not granted.
fn missing(wanted: &PrivilegeRequest, answer: &PrivilegesBody) -> Vec<UngrantedPrivilege> {
    let mut missing = Vec::new();
    for privilege in &wanted.cluster {
        if answer.cluster.get(privilege) != Some(&true) {
            missing.push(UngrantedPrivilege { index: None, privilege: privilege.clone() });
        }
    }
    for indices in &wanted.indices {
        for name in &indices.names {
            for privilege in &indices.privileges {
                if answer.index.get(name).and_then(|granted| granted.get(privilege)) != Some(&true) {
                    missing.push(UngrantedPrivilege { index: Some(name.clone()), privilege: privilege.clone() });
                }
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_privileges_are_in_the_order_of_the_request() {
        let wanted = PrivilegeRequest {
            cluster: vec!["monitor".into(), "manage_ml".into()],
            indices: vec![IndexPrivileges {
                names: vec!["b-*".into(), "a".into()],
                privileges: vec!["read".into(), "index".into()],
            }],
        };
        let answer = serde_json::from_value(json!({
            "has_all_requested": false, "cluster": {"monitor": true, "manage_ml": false},
            "index": {"b-*": {"read": false, "index": true}, "a": {"read": true}},
        }))
        .unwrap();
        let missing = missing(&wanted, &answer);
        let found: Vec<(Option<&str>, &str)> =
            missing.iter().map(|missing| (missing.index.as_deref(), missing.privilege.as_str())).collect();
        assert_eq!(found, [(None, "manage_ml"), (Some("b-*"), "read"), (Some("a"), "index")]);
    }
}
