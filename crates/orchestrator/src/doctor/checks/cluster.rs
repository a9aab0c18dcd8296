//! Version, licence and features.

use es_core::Version;
use es_core::cluster::{Availability, Capabilities, Capability, LicenceAnswer, NodeStatistics};
use jiff::Timestamp;
use serde_json::json;

use super::super::finding::{Finding, Group, Status};
use super::{Asked, named, skipped};
use crate::terminal::table::counted;

/// A licence that ends sooner than this is a warning.
pub const RENEW_WITHIN_DAYS: i64 = 30;

const GROUP: Group = Group::Cluster;
const DAY_MS: i64 = 86_400_000;

/// Checks that the version is supported, and the same on every node. A client that is connected
/// talks to a supported one.
pub fn version(connected: Version, nodes: &Asked<Vec<NodeStatistics>>) -> Finding {
    let mut versions: Vec<Version> =
        nodes.iter().flatten().filter_map(|node| node.version).chain([connected]).collect();
    versions.sort();
    versions.dedup();
    let supported = "8.x or 9.x, the same on every node";
    match versions.as_slice() {
        [one] => {
            let measured = match nodes {
                Ok(nodes) => format!("Elasticsearch {one} on {}", counted(nodes.len() as u64, "node")),
                Err(_) => format!("Elasticsearch {one}"),
            };
            Finding::new(GROUP, "version", Status::Pass, measured).against(supported)
        }
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            let measured = format!("mixed: {}", several.join(", "));
            Finding::new(GROUP, "version", Status::Warn, measured)
                .against(supported)
                .help("finish the upgrade: shards on newer nodes cannot go back to older ones")
        }
    }
}

/// The licence, and whether it ends soon.
pub fn licence(licence: &Asked<LicenceAnswer>, now: Timestamp) -> Finding {
    let of = |status, measured: String| Finding::new(GROUP, "licence", status, measured);
    match licence {
        Err(why) => skipped(GROUP, "licence", why),
        Ok(LicenceAnswer::None) => of(Status::Warn, "the cluster has none yet".to_owned())
            .help("wait until the cluster has a master, or start a basic licence"),
        Ok(LicenceAnswer::NotHere(_)) => of(Status::Pass, "this cluster has no licences".to_owned()),
        Ok(LicenceAnswer::Licensed(licence)) => {
            let name = &licence.name;
            let limit = format!("active for {}", counted(RENEW_WITHIN_DAYS.unsigned_abs(), "day"));
            if licence.status != "active" {
                return of(Status::Fail, format!("{name}, {}", licence.status))
                    .against(limit)
                    .help("renew it, or start a basic licence: POST _license/start_basic?acknowledge=true");
            }
            let Some(expires) = licence.expires.and_then(|expires| i64::try_from(expires).ok()) else {
                return of(Status::Pass, format!("{name}, active, without an end"));
            };
            let left = expires.saturating_sub(now.as_millisecond()).div_euclid(DAY_MS);
            let day = Timestamp::from_millisecond(expires)
                .map_or_else(|_| "an unknown day".to_owned(), |day| day.strftime("%Y-%m-%d").to_string());
            let measured = format!("{name}, active until {day}, in {}", counted(left.max(0).unsigned_abs(), "day"));
            let values = json!({"licence": name, "days_left": left});
            if left < RENEW_WITHIN_DAYS {
                of(Status::Warn, measured).against(limit).values(values).help("renew it before that day")
            } else {
                of(Status::Pass, measured).against(limit).values(values)
            }
        }
    }
}

/// Checks that the features are there that assets need; the others are named in one line.
pub fn capabilities(found: &Asked<Capabilities>, needed: &[(Capability, String)]) -> Vec<Finding> {
    let found = match found {
        Ok(found) => found,
        Err(why) => return vec![skipped(GROUP, "features", why)],
    };
    let mut findings = Vec::new();
    let mut wanted: Vec<Capability> = needed.iter().map(|(capability, _)| *capability).collect();
    wanted.sort();
    wanted.dedup();
    for capability in &wanted {
        let assets: Vec<&str> =
            needed.iter().filter(|(other, _)| other == capability).map(|(_, asset)| asset.as_str()).collect();
        findings.push(one(*capability, found.of(*capability), &named(&assets)));
    }
    let others = |has: bool| -> Vec<String> {
        let is_other = |capability: &Capability| !wanted.contains(capability) && found.has(*capability) == has;
        Capability::ALL.into_iter().filter(is_other).map(|capability| capability.to_string()).collect()
    };
    let (here, not_here) = (others(true), others(false));
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let values: serde_json::Map<String, serde_json::Value> =
        found.iter().map(|(capability, at)| (capability.to_string(), json!(word(at)))).collect();
    let measured = format!("not needed here: {}; not to be had: {}", list(here), list(not_here));
    findings.push(Finding::new(GROUP, "features", Status::Pass, measured).values(values.into()));
    findings
}

fn word(availability: &Availability) -> &'static str {
    match availability {
        Availability::Available => "available",
        Availability::Missing { .. } => "missing",
        Availability::NotLicensed { .. } => "not licensed",
        Availability::Unknown { .. } => "unknown",
    }
}

fn one(capability: Capability, availability: &Availability, assets: &str) -> Finding {
    let of = |status, measured: String| {
        Finding::new(GROUP, "feature", status, measured)
            .about(capability.to_string())
            .against(format!("needed by {assets}"))
    };
    match availability {
        Availability::Available => of(Status::Pass, "available".to_owned()),
        Availability::Missing { why } => of(Status::Fail, format!("missing: {why}"))
            .help("switch it on or install its module on every node, or do without it in the pipeline"),
        Availability::NotLicensed { licence } => of(Status::Fail, format!("not in the licence ({licence})"))
            .help("take a licence that covers it, or do without it in the pipeline"),
        Availability::Unknown { error } => of(Status::Skip, error.clone()),
    }
}

#[cfg(test)]
mod tests {
    use es_core::cluster::Licence;

    use super::*;

    fn version_of(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn node(version: &str) -> NodeStatistics {
        super::super::health::tests::node("n", Some(version_of(version)))
    }

    #[test]
    fn mixed_versions_are_a_warning() {
        let nines = Ok(vec![node("9.4.3"), node("9.4.3")]);
        let found = version(version_of("9.4.3"), &nines);
        assert_eq!((found.status, found.measured.as_str()), (Status::Pass, "Elasticsearch 9.4.3 on 2 nodes"));
        let mixed = version(version_of("9.4.3"), &Ok(vec![node("9.4.3"), node("8.19.21")]));
        assert_eq!((mixed.status, mixed.measured.as_str()), (Status::Warn, "mixed: 8.19.21, 9.4.3"));
        assert_eq!(version(version_of("8.19.21"), &Err("no".into())).status, Status::Pass);
    }

    #[test]
    fn a_licence_is_judged_by_its_status_and_end() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |days: i64, ms: i64| Some((now.as_millisecond() + days * DAY_MS + ms) as u64);
        let table = [
            ("basic", "active", None, Status::Pass),
            ("trial", "active", at(30, 0), Status::Pass),
            ("trial", "active", at(30, -1), Status::Warn),
            ("trial", "active", at(-1, 0), Status::Warn),
            ("trial", "expired", at(-1, 0), Status::Fail),
            ("trial", "invalid", at(90, 0), Status::Fail),
        ];
        for (name, status, expires, expected) in table {
            let licensed = Licence { name: name.into(), status: status.into(), expires };
            let found = licence(&Ok(LicenceAnswer::Licensed(licensed)), now);
            assert_eq!(found.status, expected, "{found:?}");
        }
        assert_eq!(licence(&Ok(LicenceAnswer::None), now).status, Status::Warn);
        assert_eq!(licence(&Ok(LicenceAnswer::NotHere("x".into())), now).status, Status::Pass);
        assert_eq!(licence(&Err("why".into()), now).measured, "why");
    }

    #[test]
    fn only_a_feature_that_is_needed_can_fail() {
        let table = [
            (Availability::Available, Status::Pass),
            (Availability::Missing { why: "off".into() }, Status::Fail),
            (Availability::NotLicensed { licence: "basic".into() }, Status::Fail),
            (Availability::Unknown { error: "broken".into() }, Status::Skip),
        ];
        for (availability, expected) in table {
            let found = one(Capability::Scripting, &availability, "daily");
            assert_eq!((found.status, found.threshold.as_deref()), (expected, Some("needed by daily")));
        }
        assert_eq!(capabilities(&Err("no".into()), &[]).len(), 1);
    }
}
