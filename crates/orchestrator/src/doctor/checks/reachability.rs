//! The way to each node: name, port, TLS, certificates; and whether the client is let in.

use std::time::{Duration, SystemTime};

use es_core::probe::{CertificateSummary, NodeProbe, TlsSession};
use es_core::{ClusterInfo, Credentials, Error, ErrorKind, Verification};
use jiff::Timestamp;
use serde_json::json;

use super::super::finding::{Finding, Group, Status};
use crate::terminal::table::{counted, took};

/// A certificate that ends sooner than this is a warning: renewing takes a plan.
pub const RENEW_WITHIN: Duration = Duration::from_secs(30 * 86_400);

const GROUP: Group = Group::Connection;

/// The findings of the probe of a node.
pub fn node(probe: &NodeProbe, now: SystemTime) -> Vec<Finding> {
    let place = match &probe.proxy {
        Some(proxy) => format!("{} by the proxy {proxy}", probe.node),
        None => probe.node.clone(),
    };
    let about = |finding: Finding| finding.about(place.clone());
    let mut findings = vec![about(name(probe))];
    findings.extend(probe.connected.as_ref().map(|connected| {
        about(match connected {
            Ok(time) => Finding::new(GROUP, "port", Status::Pass, format!("open, in {}", took(*time)))
                .values(json!({"connect_ms": time.as_millis() as u64})),
            Err(error) => failed("port", error),
        })
    }));
    match &probe.tls {
        None => {}
        Some(Err(error)) => findings.push(about(failed("TLS", error))),
        Some(Ok(session)) => {
            findings.push(about(trust(session)));
            findings.extend(dates(&session.chain, now).map(about));
        }
    }
    findings
}

fn failed(check: &'static str, error: &Error) -> Finding {
    let finding = Finding::new(GROUP, check, Status::Fail, error.to_string());
    match error.help() {
        Some(help) => finding.help(help),
        None => finding,
    }
}

fn name(probe: &NodeProbe) -> Finding {
    match &probe.resolved {
        Ok(addresses) if addresses.is_empty() => {
            Finding::new(GROUP, "name", Status::Fail, "the host name has no address")
                .help("check the host name, and the name server of this machine")
        }
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Finding::new(GROUP, "name", Status::Pass, addresses.join(", "))
        }
        Err(error) => failed("name", error),
    }
}

fn trust(session: &TlsSession) -> Finding {
    match &session.trusted {
        Ok(()) => {
            let issuer = session.chain.first().map(|leaf| format!(", issued by {}", leaf.issuer)).unwrap_or_default();
            Finding::new(GROUP, "TLS", Status::Pass, format!("{}{issuer}", session.protocol))
        }
        Err(error) => {
            let mut finding = failed("TLS", error);
            if let Some(leaf) = session.chain.first() {
                let names = if leaf.names.is_empty() { "no name".to_owned() } else { leaf.names.join(", ") };
                finding.measured = format!(
                    "{}; the certificate is for {names}, issued by {}, SHA-256 {}",
                    finding.measured, leaf.issuer, leaf.fingerprint
                );
            }
            finding
        }
    }
}

/// The dates of the certificate that ends first, or of one that is not valid yet.
fn dates(chain: &[CertificateSummary], now: SystemTime) -> Option<Finding> {
    let date = |time: SystemTime| match Timestamp::try_from(time) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d").to_string(),
        Err(_) => "an unknown day".to_owned(),
    };
    let of = |status, certificate: &CertificateSummary, what: String| {
        Finding::new(GROUP, "certificate", status, format!("{what} ({})", certificate.subject))
            .against(format!("for {} at least", days(RENEW_WITHIN)))
    };
    if let Some(early) = chain.iter().find(|certificate| certificate.not_before > now) {
        let what = format!("is not valid before {}", date(early.not_before));
        return Some(of(Status::Fail, early, what).help("check the clocks of this machine and of the server"));
    }
    let first = chain.iter().min_by_key(|certificate| certificate.not_after)?;
    let ends = date(first.not_after);
    Some(match first.not_after.duration_since(now) {
        Err(_) => of(Status::Fail, first, format!("ended on {ends}")).help("renew it on the server"),
        Ok(left) => {
            let status = if left < RENEW_WITHIN { Status::Warn } else { Status::Pass };
            let finding = of(status, first, format!("ends on {ends}, in {}", days(left)))
                .values(json!({"days_left": left.as_secs() / 86_400}));
            if status == Status::Warn { finding.help("renew it on the server before that day") } else { finding }
        }
    })
}

fn days(time: Duration) -> String {
    counted(time.as_secs() / 86_400, "day")
}

/// Checks that nobody on the way can read what is sent, and that the far side is verified.
pub fn secrecy(
    addresses: &[(String, bool, bool)],
    credentials: &Credentials,
    verification: Verification,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (address, is_https, is_local) in addresses {
        let finding = if *is_https {
            continue;
        } else if *credentials != Credentials::None && !is_local {
            Finding::new(GROUP, "encryption", Status::Warn, "the credentials go over the network in plain text")
                .help("write https:// in the address, and switch on TLS for HTTP on the cluster")
        } else if *is_local {
            Finding::new(GROUP, "encryption", Status::Pass, "plain HTTP that does not leave this machine")
        } else {
            Finding::new(GROUP, "encryption", Status::Warn, "documents go over the network in plain text")
                .help("write https:// in the address, and switch on TLS for HTTP on the cluster")
        };
        findings.push(finding.about(address.clone()));
    }
    let has_https = addresses.iter().any(|(_, is_https, _)| *is_https);
    if has_https && verification != Verification::Full {
        let measured = match verification {
            Verification::None => "off: anyone on the way can read and change what is sent",
            _ => "the authority alone: any server that it signed a certificate for can answer",
        };
        findings.push(
            Finding::new(GROUP, "verification", Status::Warn, measured)
                .against("full")
                .help("set ELASTICSEARCH_VERIFY_CERTS=full, with the authority in ELASTICSEARCH_CA_CERT"),
        );
    }
    findings
}

/// Returns whether the steps to the nodes tell already why none can be used.
pub fn explains(probes: &[NodeProbe]) -> bool {
    let is_blocked = |probe: &NodeProbe| {
        let is_trusted = |tls: &Result<TlsSession, Error>| tls.as_ref().is_ok_and(|session| session.trusted.is_ok());
        probe.connected.as_ref().is_none_or(Result::is_err) || !probe.tls.as_ref().is_none_or(is_trusted)
    };
    !probes.is_empty() && probes.iter().all(is_blocked)
}

/// Checks that a node answered as Elasticsearch, and let the client in. `is_told` says that the
/// steps before it tell why not.
pub fn connection(answer: Result<(&ClusterInfo, Duration), &Error>, is_told: bool) -> Finding {
    match answer {
        Ok((info, time)) => {
            let measured = format!("the cluster {} answers, in {}", info.cluster_name, took(time));
            Finding::new(GROUP, "connection", Status::Pass, measured)
                .values(json!({"cluster_uuid": info.cluster_uuid, "took_ms": time.as_millis() as u64}))
        }
        Err(error) if is_told && matches!(error.kind(), ErrorKind::Connect | ErrorKind::Tls) => {
            Finding::new(GROUP, "connection", Status::Skip, "no node can be used: see above")
        }
        Err(error) => failed("connection", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn certificate(subject: &str, from: SystemTime, to: SystemTime) -> CertificateSummary {
        CertificateSummary {
            subject: subject.to_owned(),
            issuer: "CN=an authority".to_owned(),
            names: vec!["es.example".to_owned()],
            not_before: from,
            not_after: to,
            fingerprint: "ab".repeat(32).parse().unwrap(),
        }
    }

    fn probe(tls: Option<Result<TlsSession, Error>>) -> NodeProbe {
        NodeProbe {
            node: "https://es.example:9200".to_owned(),
            proxy: None,
            resolved: Ok(vec!["192.0.2.7".parse().unwrap()]),
            connected: Some(Ok(Duration::from_millis(12))),
            tls,
        }
    }

    fn statuses(findings: &[Finding]) -> Vec<(&'static str, Status)> {
        findings.iter().map(|finding| (finding.check, finding.status)).collect()
    }

    #[test]
    fn each_step_of_the_way_has_its_line() {
        use Status::{Fail, Pass};
        assert_eq!(statuses(&node(&probe(None), now())), [("name", Pass), ("port", Pass)]);
        let error = || Error::new(ErrorKind::Connect, "it is so").with_help("do so");
        let lost = NodeProbe { resolved: Err(error()), connected: None, ..probe(None) };
        let found = node(&lost, now());
        assert_eq!(statuses(&found), [("name", Fail)]);
        assert_eq!((found[0].measured.as_str(), found[0].help.as_deref()), ("it is so", Some("do so")));
        let nowhere = NodeProbe { resolved: Ok(vec![]), connected: None, ..probe(None) };
        assert_eq!(statuses(&node(&nowhere, now())), [("name", Fail)]);
        let closed = NodeProbe { connected: Some(Err(error())), ..probe(None) };
        assert_eq!(statuses(&node(&closed, now())), [("name", Pass), ("port", Fail)]);
        assert_eq!(statuses(&node(&probe(Some(Err(error()))), now()))[2], ("TLS", Fail));
        let session = |trusted| TlsSession {
            protocol: "TLSv1.3".to_owned(),
            chain: vec![certificate("CN=es", now() - DAY, now() + 400 * DAY)],
            trusted,
        };
        let good = node(&probe(Some(Ok(session(Ok(()))))), now());
        assert_eq!(statuses(&good)[2..], [("TLS", Pass), ("certificate", Pass)]);
        assert_eq!(good[2].measured, "TLSv1.3, issued by CN=an authority");
        let bad = node(&probe(Some(Ok(session(Err(error()))))), now());
        assert_eq!(statuses(&bad)[2..], [("TLS", Fail), ("certificate", Pass)]);
        assert!(bad[2].measured.contains("es.example") && bad[2].measured.contains("SHA-256"), "{:?}", bad[2]);
    }

    #[test]
    fn what_the_steps_have_told_is_not_told_again() {
        let error = |kind| Error::new(kind, "it is so");
        let closed = || NodeProbe { connected: Some(Err(error(ErrorKind::Connect))), ..probe(None) };
        let session = |trusted| TlsSession { protocol: "TLSv1.3".to_owned(), chain: Vec::new(), trusted };
        let distrusted = probe(Some(Ok(session(Err(error(ErrorKind::Tls))))));
        assert!(explains(&[closed(), distrusted]));
        assert!(
            !explains(&[]) && !explains(&[closed(), probe(None)]) && !explains(&[probe(Some(Ok(session(Ok(())))))])
        );
        let of = |kind, is_told| connection(Err(&error(kind)), is_told).status;
        assert_eq!(of(ErrorKind::Connect, true), Status::Skip);
        assert_eq!(of(ErrorKind::Connect, false), Status::Fail);
        assert_eq!(of(ErrorKind::Unauthorized, true), Status::Fail);
    }

    #[test]
    fn a_certificate_is_judged_by_the_first_of_its_chain_to_end() {
        let second = Duration::from_secs(1);
        let leaf = |to| certificate("CN=leaf", now() - DAY, to);
        let root = certificate("CN=root", now() - DAY, now() + 4000 * DAY);
        let table = [
            (leaf(now() + RENEW_WITHIN), Status::Pass),
            (leaf(now() + RENEW_WITHIN - second), Status::Warn),
            (leaf(now()), Status::Warn),
            (leaf(now() - second), Status::Fail),
            (certificate("CN=leaf", now() + second, now() + 400 * DAY), Status::Fail),
            (certificate("CN=leaf", now(), now() + 400 * DAY), Status::Pass),
        ];
        for (leaf, expected) in table {
            let told = format!("{leaf:?}");
            let found = dates(&[root.clone(), leaf], now()).unwrap();
            assert_eq!(found.status, expected, "{told}");
            assert!(found.measured.contains("CN=leaf"), "{found:?}");
            assert_eq!(found.help.is_some(), expected != Status::Pass);
        }
        assert_eq!(dates(&[], now()), None);
    }

    #[test]
    fn what_others_can_read_is_told() {
        let secret = Credentials::api_key("a:b");
        let of = |https: bool, local: bool, credentials: &Credentials, verification| {
            let found = secrecy(&[("x".to_owned(), https, local)], credentials, verification);
            found.iter().map(|finding| (finding.check, finding.status)).collect::<Vec<_>>()
        };
        assert_eq!(of(true, false, &secret, Verification::Full), []);
        assert_eq!(of(true, true, &secret, Verification::None), [("verification", Status::Warn)]);
        assert_eq!(of(true, true, &secret, Verification::Certificate), [("verification", Status::Warn)]);
        assert_eq!(of(false, false, &secret, Verification::None), [("encryption", Status::Warn)]);
        assert_eq!(of(false, false, &Credentials::None, Verification::Full), [("encryption", Status::Warn)]);
        assert_eq!(of(false, true, &secret, Verification::Full), [("encryption", Status::Pass)]);
    }
}
