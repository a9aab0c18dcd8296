//! The privilege that is missing after a 403. Elasticsearch names it only in a sentence, composed by
//! its class `AuthorizationDenialMessages`.

use std::fmt;

/// A privilege that the credentials lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// The action that was refused, such as `indices:admin/create`.
    pub action: String,
    /// The refused principal, as the server names it: `user [reader]`, `API key id [a] of user [b]`.
    pub principal: String,
    /// The indices of the action. Empty for actions on the cluster.
    pub indices: Vec<String>,
    /// The scope of the privilege, where the server names it.
    pub scope: Option<PrivilegeScope>,
    /// The privileges that each would allow it, the narrowest first.
    pub granted_by: Vec<String>,
}

/// The scope of a privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivilegeScope {
    /// The cluster as a whole.
    Cluster,
    /// Some indices.
    Index,
}

impl MissingPrivilege {
    /// Reads the reason of a `security_exception`. `None` when it is about something else.
    pub fn parse(reason: &str) -> Option<Self> {
        let (_, rest) = reason.split_once("action [")?;
        let (action, rest) = rest.split_once(']')?;
        let (_, rest) = rest.split_once(" is unauthorized for ")?;
        let (denied, grant) = match rest.split_once(", this action is granted by the ") {
            Some((denied, grant)) => (denied, grant),
            None => (rest, ""),
        };
        let principal = END_OF_PRINCIPAL.iter().filter_map(|mark| denied.find(mark)).min().unwrap_or(denied.len());
        Some(Self {
            action: action.to_owned(),
            principal: denied[..principal].to_owned(),
            indices: list(denied, "indices ["),
            scope: match grant.split_once(' ') {
                Some(("cluster", _)) => Some(PrivilegeScope::Cluster),
                Some(("index", _)) => Some(PrivilegeScope::Index),
                _ => None,
            },
            granted_by: list(grant, "privileges ["),
        })
    }

    /// The next step for a person.
    pub(crate) fn help(&self) -> String {
        let Some(narrowest) = self.granted_by.first() else {
            return format!("allow {} the action {}", self.principal, self.action);
        };
        let scope = match self.scope {
            Some(PrivilegeScope::Cluster) => "cluster privilege ",
            Some(PrivilegeScope::Index) => "index privilege ",
            None => "privilege ",
        };
        let place = if self.indices.is_empty() { String::new() } else { format!(" on {}", self.indices.join(", ")) };
        let others = match &self.granted_by[1..] {
            [] => String::new(),
            others => format!(" (or {})", others.join(", ")),
        };
        format!("grant {} the {scope}{narrowest}{place}{others}", self.principal)
    }
}

impl fmt::Display for MissingPrivilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not do {}", self.principal, self.action)?;
        if !self.indices.is_empty() {
            write!(f, " on {}", self.indices.join(", "))?;
        }
        Ok(())
    }
}

/// The texts that can follow the principal.
const END_OF_PRINCIPAL: [&str; 6] = [
    " with effective roles [",
    " with assigned roles [",
    " on indices [",
    " on restricted indices [",
    " because ",
    ", ",
];

/// The list in brackets that follows a marker.
fn list(text: &str, mark: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once(mark) else { return Vec::new() };
    let (inside, _) = rest.split_once(']').unwrap_or((rest, ""));
    inside.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Elasticsearch 9.4.3 answered.
    const ON_INDICES: &str = "action [indices:data/read/search] is unauthorized for user [reader] with effective roles \
        [narrow] on indices [flights-a,flights-b], this action is granted by the index privileges [read,all]";
    const ON_THE_CLUSTER: &str = "action [cluster:admin/xpack/security/user/put] is unauthorized for user [reader] \
        with effective roles [narrow], this action is granted by the cluster privileges [manage_security,all]";
    const OF_A_KEY: &str = "action [indices:admin/create] is unauthorized for API key id [-Q3D_qEBr2bUx1XY4Y3T] of \
        user [elastic] on indices [flights], this action is granted by the index privileges [create_index,manage,all]";

    #[test]
    fn what_is_missing_is_read() {
        let found = MissingPrivilege::parse(ON_INDICES).unwrap();
        assert_eq!(
            found,
            MissingPrivilege {
                action: "indices:data/read/search".into(),
                principal: "user [reader]".into(),
                indices: vec!["flights-a".into(), "flights-b".into()],
                scope: Some(PrivilegeScope::Index),
                granted_by: vec!["read".into(), "all".into()],
            }
        );
        assert_eq!(found.help(), "grant user [reader] the index privilege read on flights-a, flights-b (or all)");
        assert_eq!(found.to_string(), "user [reader] may not do indices:data/read/search on flights-a, flights-b");

        let found = MissingPrivilege::parse(ON_THE_CLUSTER).unwrap();
        assert_eq!((found.principal.as_str(), found.indices.len()), ("user [reader]", 0));
        assert_eq!(found.scope, Some(PrivilegeScope::Cluster));
        assert_eq!(found.help(), "grant user [reader] the cluster privilege manage_security (or all)");

        let found = MissingPrivilege::parse(OF_A_KEY).unwrap();
        assert_eq!(found.principal, "API key id [-Q3D_qEBr2bUx1XY4Y3T] of user [elastic]");
        assert_eq!(found.indices, ["flights"]);
        assert_eq!(found.granted_by, ["create_index", "manage", "all"]);
    }

    #[test]
    fn other_wordings_lose_nothing_that_is_there() {
        let bare = MissingPrivilege::parse("action [a:b] is unauthorized for user [u] run as [v]").unwrap();
        assert_eq!((bare.principal.as_str(), bare.scope), ("user [u] run as [v]", None));
        assert_eq!(bare.help(), "allow user [u] run as [v] the action a:b");
        let assigned = MissingPrivilege::parse(
            "action [a:b] is unauthorized for service account [elastic/x] with effective roles [] (assigned roles [r] \
             were not found) on restricted indices [.security]",
        );
        let assigned = assigned.unwrap();
        assert_eq!(assigned.principal, "service account [elastic/x]");
        assert_eq!(assigned.indices, [".security"]);
        for other in ["", "unable to authenticate user [u]", "current license is non-compliant for [ml]", "action ["] {
            assert_eq!(MissingPrivilege::parse(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(
            text in "\\PC*",
            parts in proptest::collection::vec(
                "action \\[|\\]| is unauthorized for |, this action is granted by the |indices \\[|privileges \\[|[a-z\u{e9}, ]{0,4}",
                0..12,
            ),
        ) {
            for text in [text, parts.concat()] {
                if let Some(found) = MissingPrivilege::parse(&text) {
                    let _ = (found.help(), found.to_string());
                }
            }
        }
    }
}
