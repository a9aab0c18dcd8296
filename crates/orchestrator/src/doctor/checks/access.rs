//! Who the client is, and what it may do.

use es_core::cluster::{Identity, Security, UngrantedPrivilege};

use super::super::finding::{Finding, Group, Status};
use super::super::needs::{Need, Needs, On};
use super::{Asked, named, skipped};

const GROUP: Group = Group::Access;

/// Who the client is. `is_local` says that nobody else can reach the cluster by the network.
pub fn identity(identity: &Asked<Security<Identity>>, is_local: bool) -> Finding {
    let identity = match identity {
        Err(why) => return skipped(GROUP, "identity", why),
        Ok(Security::Disabled) if is_local => {
            return Finding::new(GROUP, "identity", Status::Pass, "security is off: anyone may do anything");
        }
        Ok(Security::Disabled) => {
            return Finding::new(GROUP, "identity", Status::Warn, "security is off: anyone may do anything")
                .help("switch it on (xpack.security.enabled), unless the network keeps others out");
        }
        Ok(Security::Enabled(identity)) => identity,
    };
    let roles: Vec<&str> = identity.roles.iter().map(String::as_str).collect();
    let measured = match (&identity.api_key, roles.as_slice()) {
        (Some(key), _) => format!("the API key {key:?} of {}", identity.user),
        (None, []) => format!("{}, of the realm {}, without a role", identity.user, identity.realm),
        (None, roles) => format!("{}, of the realm {}, in the roles {}", identity.user, identity.realm, named(roles)),
    };
    let finding = |status, measured| Finding::new(GROUP, "identity", status, measured);
    if roles.contains(&"superuser") {
        finding(Status::Warn, measured)
            .against("a role of its own")
            .help("give the program a user or an API key with the role of: orchestrator doctor --role")
    } else {
        finding(Status::Pass, measured)
    }
}

/// Which privileges are missing, a line each, and what cannot be done without them.
pub fn privileges(missing: &Asked<Security<Vec<UngrantedPrivilege>>>, needs: &Needs) -> Vec<Finding> {
    let missing = match missing {
        Err(why) => return vec![skipped(GROUP, "privileges", why)],
        Ok(Security::Disabled) => {
            return vec![Finding::new(GROUP, "privileges", Status::Pass, "all, as security is off")];
        }
        Ok(Security::Enabled(missing)) => missing,
    };
    if missing.is_empty() {
        let all = needs.privileges.len();
        return vec![Finding::new(GROUP, "privileges", Status::Pass, format!("{all} of {all} that are needed"))];
    }
    missing.iter().map(|missing| lacking(missing, needs)).collect()
}

fn lacking(missing: &UngrantedPrivilege, needs: &Needs) -> Finding {
    let is_it = |need: &&Need| {
        let on = match &need.on {
            On::Cluster => missing.index.is_none(),
            On::Indices(pattern) => missing.index.as_ref() == Some(pattern),
        };
        on && need.privilege == missing.privilege
    };
    let need = needs.privileges.iter().find(is_it);
    let purpose = need.map_or("to run the pipeline", |need| need.purpose);
    let status = if need.is_none_or(|need| need.required) { Status::Fail } else { Status::Warn };
    let on = missing.index.as_deref().unwrap_or("the cluster");
    let wider = match missing.privilege.as_str() {
        // The write privileges still allow this in 8 and 9, and the server warns of it.
        "indices:admin/mapping/put" => "; the server lets `index` stand for it until its next major version",
        _ => "",
    };
    Finding::new(GROUP, "privilege", status, format!("missing on {on}: it is needed {purpose}{wider}"))
        .about(missing.privilege.clone())
        .help("grant it, or use the role that this prints: orchestrator doctor --role")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(roles: &[&str], api_key: Option<&str>) -> Asked<Security<Identity>> {
        Ok(Security::Enabled(Identity {
            user: "ada".into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            realm: "native".into(),
            authentication: "realm".into(),
            api_key: api_key.map(str::to_owned),
        }))
    }

    #[test]
    fn who_it_is_is_told() {
        let table = [
            (user(&["loader"], None), false, Status::Pass, "ada, of the realm native, in the roles loader"),
            (user(&[], None), false, Status::Pass, "ada, of the realm native, without a role"),
            (user(&[], Some("ci")), false, Status::Pass, "the API key \"ci\" of ada"),
            (user(&["superuser"], None), true, Status::Warn, "ada, of the realm native, in the roles superuser"),
            (Ok(Security::Disabled), true, Status::Pass, "security is off: anyone may do anything"),
            (Ok(Security::Disabled), false, Status::Warn, "security is off: anyone may do anything"),
            (Err("it broke".into()), false, Status::Skip, "it broke"),
        ];
        for (who, is_local, status, measured) in table {
            let found = identity(&who, is_local);
            assert_eq!((found.status, found.measured.as_str()), (status, measured));
        }
    }

    #[test]
    fn each_missing_privilege_is_named_with_its_purpose() {
        let needs = Needs::of(None, Some("x-"), &["logs".to_owned()]);
        let missing = |index: Option<&str>, privilege: &str| UngrantedPrivilege {
            index: index.map(str::to_owned),
            privilege: privilege.to_owned(),
        };
        let all = vec![
            missing(None, "monitor"),
            missing(Some("x-*"), "view_index_metadata"),
            missing(Some("x-*"), "monitor"),
            missing(Some("logs"), "read"),
        ];
        let found = privileges(&Ok(Security::Enabled(all)), &needs);
        let lines: Vec<(&str, Status)> =
            found.iter().map(|finding| (finding.subject.as_deref().unwrap(), finding.status)).collect();
        use Status::{Fail, Warn};
        assert_eq!(lines, [("monitor", Warn), ("view_index_metadata", Fail), ("monitor", Warn), ("read", Fail)]);
        assert_eq!(found[1].measured, "missing on x-*: it is needed to look up what is published, and its mappings");
        assert_eq!(privileges(&Ok(Security::Enabled(vec![])), &needs)[0].status, Status::Pass);
        assert_eq!(privileges(&Ok(Security::Disabled), &needs)[0].status, Status::Pass);
        assert_eq!(privileges(&Err("x".into()), &needs)[0].status, Status::Skip);
    }
}
