//! A run looks whether the disks have room, through a proxy that makes them look full.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use reqwest::Method;
use serde_json::json;

use crate::bench::Live;
use crate::data::write_small;

/// The answer of the proxy to questions for the cluster's settings.
#[derive(Clone, Copy)]
enum Answer {
    /// Watermarks that every disk is past.
    Full,
    /// A low watermark that every disk is past.
    Short,
    /// That the user may not ask.
    Forbidden,
}

impl Answer {
    fn body(self) -> (u16, String) {
        let marks = |low: &str, high: &str, flood: &str| {
            let name = |stage: &str| format!("cluster.routing.allocation.disk.watermark.{stage}");
            json!({"persistent": {
                name("low"): low, name("high"): high, name("flood_stage"): flood,
                "cluster.routing.allocation.disk.threshold_enabled": "true",
            }})
        };
        match self {
            Self::Full => (200, marks("900tb", "900tb", "900tb").to_string()),
            Self::Short => (200, marks("900tb", "1b", "1b").to_string()),
            Self::Forbidden => {
                let reason = "action [cluster:monitor/settings] is unauthorized for user [u]";
                (403, json!({"error": {"type": "security_exception", "reason": reason}, "status": 403}).to_string())
            }
        }
    }
}

/// A proxy to a plain node that answers questions for settings itself. It ends with the process.
fn proxy(node: &str, answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let node = node.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let node = node.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let client = reqwest::Client::new();
                let mut stream = stream;
                while let Some(request) = read(&mut stream) {
                    let (status, body) = match request.path.starts_with("/_cluster/settings") {
                        true => answer.body(),
                        false => runtime.block_on(forward(&client, &node, request)),
                    };
                    let reply = format!(
                        "HTTP/1.1 {status} X\r\nX-Elastic-Product: Elasticsearch\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(reply.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

struct Received {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

async fn forward(client: &reqwest::Client, node: &str, request: Received) -> (u16, String) {
    let mut forwarded = client.request(request.method, format!("{node}{}", request.path)).body(request.body);
    for (name, value) in request.headers {
        forwarded = forwarded.header(name, value);
    }
    let answer = forwarded.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Reads one request, or nothing when the connection is closed.
fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let read = stream.read(&mut piece).unwrap();
        body.extend_from_slice(&piece[..read]);
    }
    let mut first = head.lines().next().unwrap().split(' ');
    Some(Received {
        method: first.next().unwrap().parse().unwrap(),
        path: first.next().unwrap().to_owned(),
        headers: ["content-type", "accept"].into_iter().filter_map(|name| Some((name, header(name)?))).collect(),
        body,
    })
}

fn behind(test: &str, answer: Answer) -> Option<Live> {
    let mut live = Live::plain(test)?;
    if live.node.username.is_some() || live.node.api_key.is_some() {
        return None;
    }
    write_small(&live);
    let address = proxy(&live.node.url, answer);
    live.set("ELASTICSEARCH_URL", &address);
    live.rename(&address, "[proxy]");
    Some(live)
}

#[test]
fn a_run_is_refused_when_the_disks_are_full() {
    let Some(live) = behind("disk_full", Answer::Full) else { return };
    let refused = live.expect(1, &["run"]);
    for word in ["flood stage watermark", "are available", "run.disk_check"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    assert_eq!(live.indices(), [], "nothing was written");
    let doctor = live.expect(1, &["doctor"]);
    assert!(doctor.stdout.contains("flood stage watermark"), "{}", doctor.stdout);
    let mut live = live;
    live.set("ORCHESTRATOR_RUN__DISK_CHECK", "false");
    live.expect(0, &["run", "readings"]);
    live.unset("ORCHESTRATOR_RUN__DISK_CHECK");
    // What writes no index does not need the room.
    live.expect(0, &["run", "training_set"]);
}

#[test]
fn a_run_goes_on_when_room_is_short_or_not_known() {
    for (name, answer, told) in [
        ("disk_short", Answer::Short, "past the low watermark"),
        ("disk_unknown", Answer::Forbidden, "whether the disks have room is not known"),
    ] {
        let Some(live) = behind(name, answer) else { return };
        let shown = live.expect(0, &["run", "readings"]);
        assert_eq!(shown.stderr.matches(told).count(), 1, "{}", shown.stderr);
    }
}
