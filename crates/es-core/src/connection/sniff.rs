//! Finding the other nodes of a cluster from its own list. Reading the list is pure. Each new address is
//! tried before it is used, as a cluster publishes the addresses that nodes use among themselves, which a
//! client behind a network boundary often cannot reach or trust.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::Deserialize;
use url::Url;

use crate::connection::config::Sniffing;
use crate::error::{Error, ErrorKind};

/// The API that lists nodes.
pub(crate) const PATH: &str = "/_nodes/http";

/// The number of new nodes that are tried at once.
pub(crate) const TRIED_AT_ONCE: usize = 8;

/// The shortest time between two lists, so that failures do not cause a storm of requests.
const PAUSE: Duration = Duration::from_secs(5);

/// The times at which the list of nodes is requested.
#[derive(Debug)]
pub(crate) struct Schedule {
    mode: Sniffing,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    begun: Option<Instant>,
    node_failed: bool,
}

impl Schedule {
    pub(crate) fn new(mode: Sniffing) -> Self {
        Self { mode, state: Mutex::default() }
    }

    pub(crate) fn at_start(&self) -> bool {
        self.mode != Sniffing::Off
    }

    /// Records that a node failed: its cluster may have lost it.
    pub(crate) fn node_failed(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).node_failed = true;
    }

    /// Returns `true` if the list is due. The caller must then call [`Schedule::ended`].
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let Sniffing::Continuous { every } = self.mode else { return false };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age = state.begun.map(|begun| now.saturating_duration_since(begun));
        let wait = if state.node_failed { PAUSE.min(every) } else { every };
        if state.running || age.is_some_and(|age| age < wait) {
            return false;
        }
        *state = State { running: true, begun: Some(now), node_failed: false };
        true
    }

    /// Records the end of a request for the list, whatever its outcome.
    pub(crate) fn ended(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = false;
        state.begun.get_or_insert(now);
    }
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    nodes: BTreeMap<String, ListedNode>,
}

#[derive(Deserialize)]
struct ListedNode {
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    http: Option<ListedHttp>,
}

#[derive(Deserialize)]
struct ListedHttp {
    #[serde(default)]
    publish_address: String,
}

/// Reads the addresses of the nodes that accept requests. A dedicated master is left out; a node
/// without any role exists to coordinate requests.
///
/// # Errors
/// [`ErrorKind::Decode`] when it is not a list of nodes.
pub(crate) fn read(body: &[u8], scheme: &str) -> Result<Vec<Url>, Error> {
    let listed: Listed = serde_json::from_slice(body).map_err(|source| {
        Error::new(ErrorKind::Decode, format!("the list of nodes cannot be read: {source}")).with_source(source)
    })?;
    let mut urls: Vec<Url> = Vec::new();
    for node in listed.nodes.values() {
        let url = node.http.as_ref().and_then(|http| address(&http.publish_address, scheme));
        if let Some(url) = url
            && !is_dedicated_master(&node.roles)
            && !urls.contains(&url)
        {
            urls.push(url);
        }
    }
    Ok(urls)
}

fn is_dedicated_master(roles: &[String]) -> bool {
    let works = |role: &String| role.starts_with("data") || role == "ingest";
    roles.iter().any(|role| role == "master") && !roles.iter().any(works)
}

/// Reads `ip:port` or `host/ip:port`. Certificates are issued for host names, so the name is preferred
/// to the address.
fn address(published: &str, scheme: &str) -> Option<Url> {
    let (socket, name) = match published.split_once('/') {
        Some((name, socket)) if !name.is_empty() => (socket, Some(name)),
        Some((_, socket)) => (socket, None),
        None => (published, None),
    };
    let (ip, port) = socket.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = name.unwrap_or(ip);
    // Other characters must not become a path, a user or a query.
    if host.is_empty() || host.contains(['/', '\\', '@', '?', '#']) || host.chars().any(char::is_whitespace) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}:{port}")).ok()?;
    (url.scheme() == scheme && url.host().is_some()).then_some(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn published_addresses_are_read() {
        let table = [
            ("127.0.0.1:9200", Some("https://127.0.0.1:9200/")),
            ("es-1.example/10.0.0.7:9201", Some("https://es-1.example:9201/")),
            ("/10.0.0.7:9200", Some("https://10.0.0.7:9200/")),
            ("[2001:db8::7]:9200", Some("https://[2001:db8::7]:9200/")),
            ("es-1.example/[2001:db8::7]:9200", Some("https://es-1.example:9200/")),
            ("10.0.0.7", None),
            ("10.0.0.7:port", None),
            ("10.0.0.7:99999", None),
            ("user@evil.example:9200", None),
            (":9200", None),
            ("", None),
        ];
        for (published, expected) in table {
            assert_eq!(address(published, "https").as_ref().map(Url::as_str), expected, "{published}");
        }
    }

    #[test]
    fn masters_that_do_nothing_else_are_left_out() {
        // The form is that of Elasticsearch 9.4.3.
        let node = |roles: &[&str], port: u16| {
            json!({"name": "n", "ip": "10.0.0.7", "version": "9.4.3", "roles": roles,
                "http": {"bound_address": ["[::]:9200"], "publish_address": format!("10.0.0.7:{port}")}})
        };
        let body = json!({"_nodes": {"total": 6}, "cluster_name": "c", "nodes": {
            "a": node(&["master"], 1),
            "b": node(&["data_hot", "ingest", "master"], 2),
            "c": node(&[], 3),
            "d": node(&["master", "remote_cluster_client", "voting_only"], 4),
            "e": node(&["data"], 5),
            "f": node(&["data"], 5),
            "g": {"roles": ["data"]},
        }});
        let urls = read(body.to_string().as_bytes(), "http").unwrap();
        assert_eq!(urls.iter().filter_map(Url::port).collect::<Vec<_>>(), [2, 3, 5]);
        for none in ["{}", "{\"nodes\":{}}"] {
            assert_eq!(read(none.as_bytes(), "http").unwrap(), []);
        }
        for wrong in ["", "<html>", "{\"nodes\":[]}", "{\"nodes\":{\"a\":7}}"] {
            assert_eq!(read(wrong.as_bytes(), "http").unwrap_err().kind(), ErrorKind::Decode, "{wrong}");
        }
    }

    #[test]
    fn the_list_is_renewed_by_age_and_after_failures() {
        let every = Duration::from_secs(60);
        let (start, after) = (Instant::now(), |seconds| Duration::from_secs(seconds));
        let schedule = Schedule::new(Sniffing::Continuous { every });
        schedule.ended(start);
        assert!(!schedule.is_due(start + after(59)));
        assert!(schedule.is_due(start + after(60)));
        // One at a time.
        assert!(!schedule.is_due(start + after(300)));
        schedule.ended(start + after(61));
        schedule.node_failed();
        assert!(!schedule.is_due(start + after(64)));
        assert!(schedule.is_due(start + after(65)));
        schedule.ended(start + after(66));
        assert!(!schedule.is_due(start + after(100)));
        for mode in [Sniffing::Off, Sniffing::AtStart] {
            let schedule = Schedule::new(mode);
            schedule.node_failed();
            assert!(!schedule.is_due(start + after(9999)));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_an_error(bytes: Vec<u8>, published in "\\PC{0,20}", near in "[a-z0-9.:/@\\[\\]%]{0,25}") {
            let _ = read(&bytes, "http");
            for published in [published, near] {
                let body = json!({"nodes": {"a": {"http": {"publish_address": published}}}});
                for url in read(body.to_string().as_bytes(), "https").unwrap() {
                    prop_assert!(url.scheme() == "https" && url.username().is_empty() && url.path() == "/");
                    prop_assert!(url.query().is_none() && url.fragment().is_none());
                }
            }
        }
    }
}
