//! The messages for a user who does not reach the cluster, or is not let in.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, Live};
use crate::data::{change, write_small};

/// A server that answers every connection with the same bytes, with `first` before it has
/// read anything. It ends with the process.
fn answering(bytes: &'static [u8], first: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            if first {
                let _ = stream.write_all(bytes);
            }
            // What is not read resets the connection when it is closed.
            let _ = stream.set_read_timeout(Some(std::time::Duration::from_secs(2)));
            let _ = stream.read(&mut [0; 4096]);
            if !first {
                let _ = stream.write_all(bytes);
            }
        }
    });
    address
}

fn offline() -> Bench {
    let bench = Bench::offline();
    write_small(&bench);
    bench
}

#[test]
fn elasticsearch_is_not_running() {
    let mut bench = offline();
    // A port that was free a moment ago, and that nobody else is told of.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    bench.set("ELASTICSEARCH_URL", &format!("http://{address}"));
    bench.rename(&address, "[address]");
    bench.golden("not_running", &["run"]);
}

#[test]
fn something_else_answers_http() {
    let mut bench = offline();
    let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 22\r\nconnection: close\r\n\r\n<html>It works!</html>";
    let address = answering(page, false);
    bench.set("ELASTICSEARCH_URL", &format!("http://{address}"));
    bench.rename(&address, "[address]");
    bench.golden("something_else_answers_http", &["run"]);
}

#[test]
fn something_answers_that_is_not_http() {
    let mut bench = offline();
    let address = answering(b"SSH-2.0-OpenSSH_9.9\r\n", true);
    bench.set("ELASTICSEARCH_URL", &format!("http://{address}"));
    bench.rename(&address, "[address]");
    bench.golden("something_answers_that_is_not_http", &["run"]);
    let address = answering(b"-ERR unknown command 'GET'\r\n", false);
    bench.set("ELASTICSEARCH_URL", &format!("http://{address}"));
    bench.rename(&address, "[address]");
    bench.golden("something_answers_that_is_no_http_response", &["run"]);
}

#[test]
fn the_address_is_no_address() {
    let bench = offline().with("ELASTICSEARCH_URL", "http://:9200");
    bench.golden("no_address", &["run"]);
}

#[test]
fn https_to_a_port_that_speaks_http() {
    let Some(mut live) = Live::plain("https_to_http") else { return };
    write_small(&live);
    let https = live.node.url.replacen("http://", "https://", 1);
    live.set("ELASTICSEARCH_URL", &https);
    live.golden("https_to_a_port_that_speaks_http", &["run"]);
}

#[test]
fn http_to_a_port_that_speaks_tls() {
    let Some(mut live) = Live::secure("http_to_tls") else { return };
    write_small(&live);
    let http = live.node.url.replacen("https://", "http://", 1);
    live.set("ELASTICSEARCH_URL", &http);
    live.golden("http_to_a_port_that_speaks_tls", &["run"]);
}

#[test]
fn the_authority_is_unknown() {
    let Some(mut live) = Live::secure("unknown_ca") else { return };
    write_small(&live);
    live.unset("ELASTICSEARCH_CA_CERT");
    live.golden("unknown_authority", &["run"]);
}

#[test]
fn credentials_are_missing_or_wrong() {
    let Some(mut live) = Live::secure("credentials") else { return };
    write_small(&live);
    for name in ["ELASTICSEARCH_USER", "ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_API_KEY"] {
        live.unset(name);
    }
    live.golden("no_credentials", &["run"]);
    live.set("ELASTICSEARCH_USER", "elastic");
    live.set("ELASTICSEARCH_PASSWORD", "wrong-canary");
    let shown = live.golden("wrong_password", &["run"]);
    assert!(!format!("{shown:?}").contains("canary"));
}

/// Base64 of `elastic:canary-password`, as the header of basic authentication has it.
const CANARY_BASIC: &str = "ZWxhc3RpYzpjYW5hcnktcGFzc3dvcmQ";
/// Base64 of `canary-id:canary-secret`, as the header of an API key has it.
const CANARY_KEY: &str = "Y2FuYXJ5LWlkOmNhbmFyeS1zZWNyZXQ";

#[test]
fn no_secret_is_ever_printed() {
    let Some(mut live) = Live::secure("canaries") else { return };
    write_small(&live);
    for name in ["ELASTICSEARCH_USER", "ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_API_KEY"] {
        live.unset(name);
    }
    let secrets: [&[(&str, &str)]; 4] = [
        &[("ELASTICSEARCH_USER", "elastic"), ("ELASTICSEARCH_PASSWORD", "canary-password")],
        &[("ELASTICSEARCH_API_KEY", "canary-id:canary-secret")],
        &[("ELASTICSEARCH_API_KEY", CANARY_KEY)],
        &[("ELASTICSEARCH_BEARER_TOKEN", "canary-token")],
    ];
    for variables in secrets {
        for (name, value) in variables {
            live.set(name, value);
        }
        for format in ["text", "json"] {
            let shown = live.expect(1, &["-vvv", "--log-format", format, "run"]);
            let all = format!("{}{}", shown.stdout, shown.stderr);
            assert!(all.len() > 2_000, "-vvv logs nothing: {all}");
            for secret in ["canary-password", "canary-secret", "canary-token", CANARY_BASIC, CANARY_KEY] {
                assert!(!all.contains(secret), "{secret} is printed with {variables:?}");
            }
            assert!(!all.contains("backtrace"), "{all}");
        }
        for (name, _) in variables {
            live.unset(name);
        }
    }
}

#[test]
fn no_secret_is_left_anywhere_by_a_run_that_succeeds() {
    let Some(live) = Live::secure("secret_success") else { return };
    write_small(&live);
    // What stands in .env and in files is as secret as what stands in the environment.
    live.write("canary.txt", "canary-of-a-file");
    live.write(".env", "FROM_DOT_ENV=canary-of-dot-env\n");
    change(&live, "name: ", "cluster: { headers: { X-Canary: { file: canary.txt } } }\nname: ");
    let shown = live.expect(0, &["-vvv", "run"]);
    let records = live.get("/PREFIX-orchestrator-runs/_search?size=1000");
    assert!(records["hits"]["total"]["value"].as_u64().unwrap() > 3, "{records}");
    let indices = live.get("/PREFIX-*?expand_wildcards=all");
    let mut left = format!("{}{}{records}{indices}", shown.stdout, shown.stderr).into_bytes();
    let files = walk(&live.path("out"));
    assert!(files.iter().any(|file| file.ends_with("_manifest.json")), "{files:?}");
    left.extend(files.iter().flat_map(|file| std::fs::read(file).unwrap()));
    let own = [live.node.password.clone(), live.node.api_key.clone()];
    let canaries = ["canary-of-dot-env".to_owned(), "canary-of-a-file".to_owned()];
    for secret in own.into_iter().flatten().chain(canaries) {
        assert!(left.windows(secret.len()).all(|part| part != secret.as_bytes()), "a secret is left");
    }
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
