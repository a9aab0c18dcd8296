//! A folder with a pipeline, an index prefix, and the program run there as a process; what
//! it prints, without what differs from run to run.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use es_testing::{Node, Scope};
use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The output of a process, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder, and the variables of the processes that run in it.
pub(crate) struct Bench {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    /// Texts that goldens show under another name.
    names: Vec<(String, String)>,
}

impl Bench {
    /// An empty folder. The program finds no Elasticsearch unless the test names one.
    pub(crate) fn offline() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new(), names: Vec::new() };
        let bench = match es_testing::find_onnxruntime() {
            Some(library) => bench.with("ORT_DYLIB_PATH", &library.display().to_string()),
            None => bench,
        };
        // One asset at a time: what is printed comes in one order.
        bench
            .with("NO_COLOR", "1")
            .with("TZ", "UTC")
            .with("LC_ALL", "C.UTF-8")
            .with("ORCHESTRATOR_RUN__CONCURRENCY", "1")
            .with("ELASTICSEARCH_URL", "http://127.0.0.1:1")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Shows a text under another name in goldens.
    pub(crate) fn rename(&mut self, text: &str, name: &str) {
        self.names.push((text.to_owned(), name.to_owned()));
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("ELASTIC")
                || name.starts_with("ORCHESTRATOR_")
                || ["RUST_LOG", "COLUMNS"].contains(&&*name)
            {
                command.env_remove(name);
            }
        }
        command.envs(&self.variables).current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Shown {
        let output = self.command(arguments).output().unwrap();
        Shown {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program to its end, which must be of the given code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> Shown {
        let shown = self.run(arguments);
        assert_eq!(shown.code, Some(code), "{arguments:?}\n{}\n{}", shown.stdout, shown.stderr);
        shown
    }

    /// Runs the program with `--json` and returns its events.
    #[track_caller]
    pub(crate) fn events(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        let shown = self.expect(code, &[&["--json"], arguments].concat());
        shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs the program and compares code and output with a golden.
    #[track_caller]
    pub(crate) fn golden(&self, name: &str, arguments: &[&str]) -> Shown {
        let shown = self.run(arguments);
        let text = format!(
            "$ orchestrator {}\nexit code {}\n--- stdout\n{}--- stderr\n{}",
            self.normal(&arguments.join(" ")),
            shown.code.map_or("none".to_owned(), |code| code.to_string()),
            self.normal(&shown.stdout),
            self.normal(&shown.stderr),
        );
        assert!(!text.contains("panicked at") && !text.contains("stack backtrace"), "{text}");
        golden(name, &text);
        shown
    }

    /// A text without what differs from run to run.
    pub(crate) fn normal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.names {
            text = text.replace(from, to);
        }
        text = text.replace(&self.folder.path().display().to_string(), "[folder]");
        let patterns = [
            // Progress that is only told when a machine is slow.
            (r"(?m)^  \w+: [^\n]*( left|for \d[^\n]*)\n", ""),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", "[run]"),
            (r"\b\d+ (min \d\d s|h \d\d min)\b", "[took]"),
            (r"\b\d+(\.\d+)? (ms|s)\b", "[took]"),
            (r"\b[\d,]+/s\b", "[rate]/s"),
            (r"\b[\d.]+ [kMG]?B\b", "[size]"),
            // The data of the tests ends in 2024.
            (r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z| \d\d:\d\d)", "[time]"),
        ];
        for (pattern, to) in patterns {
            text = Regex::new(pattern).unwrap().replace_all(&text, to).into_owned();
        }
        // A long line of totals breaks where its time ends.
        text =
            Regex::new(r"(?m)^((?:failed|interrupted): .*)\n  (\w)").unwrap().replace_all(&text, "$1 $2").into_owned();
        // The columns of a table are as wide as what differs.
        if text.contains("[took]") || text.contains("[run]") {
            text = Regex::new(" {2,}").unwrap().replace_all(&text, "  ").into_owned();
        }
        text
    }
}

/// Compares a text with the golden of a name.
#[track_caller]
pub(crate) fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A bench with a node, and an index prefix of its own.
pub(crate) struct Live {
    pub(crate) bench: Bench,
    pub(crate) node: Node,
    scope: Scope,
}

impl std::ops::Deref for Live {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl std::ops::DerefMut for Live {
    fn deref_mut(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

impl Live {
    /// A bench with the plain node, or nothing where there is none.
    pub(crate) fn plain(test: &str) -> Option<Self> {
        wait(es_testing::plain()).map(|node| Self::with_node(node, test))
    }

    /// A bench with the secured node, or nothing where there is none.
    pub(crate) fn secure(test: &str) -> Option<Self> {
        wait(es_testing::secure()).map(|node| Self::with_node(node, test))
    }

    fn with_node(node: Node, test: &str) -> Self {
        let scope = Scope::new(&node, test);
        let mut bench = Bench::offline().with("ELASTICSEARCH_URL", &node.url);
        bench.set("ELASTICSEARCH_INDEX_PREFIX", scope.prefix());
        let ca = node.ca_cert_path.as_ref().map(|path| path.display().to_string());
        let credentials = if node.api_key.is_some() {
            [None, None, node.api_key.clone()]
        } else {
            [node.username.clone(), node.password.clone(), None]
        };
        let [user, password, key] = credentials;
        for (name, value) in [("USER", user), ("PASSWORD", password), ("API_KEY", key), ("CA_CERT", ca)] {
            if let Some(value) = value {
                bench.set(&format!("ELASTICSEARCH_{name}"), &value);
            }
        }
        bench.rename(scope.prefix(), "PREFIX-");
        bench.rename(&node.url, "[node]");
        bench.rename(node.url.split("//").last().unwrap(), "[node]");
        Self { bench, node, scope }
    }

    pub(crate) fn prefix(&self) -> &str {
        self.scope.prefix()
    }

    /// The JSON that a GET of a path answers; `PREFIX-` in it is the test's own prefix.
    pub(crate) fn get(&self, path: &str) -> Value {
        wait(self.node.get(&path.replace("PREFIX-", self.prefix())))
    }

    /// Sends a body, or none for `null`, and returns the JSON that it is answered with.
    pub(crate) fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        wait(self.node.json(method, &path.replace("PREFIX-", self.prefix()), body))
    }

    /// Searches an asset's alias.
    pub(crate) fn search(&self, asset: &str, body: &Value) -> Value {
        self.send(Method::POST, &format!("/PREFIX-{asset}/_search"), body)
    }

    /// The documents behind an asset's alias.
    pub(crate) fn count(&self, asset: &str) -> u64 {
        self.get(&format!("/PREFIX-{asset}/_count"))["count"].as_u64().unwrap()
    }

    /// The indices under the prefix without it, in order, and whether an alias points to each.
    pub(crate) fn indices(&self) -> Vec<(String, bool)> {
        let all = self.get("/PREFIX-*?expand_wildcards=all&filter_path=*.aliases,*.settings.index.uuid");
        let short = |name: &String| name.strip_prefix(self.prefix()).unwrap().to_owned();
        let mut indices: Vec<(String, bool)> = all
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, index)| (short(name), index["aliases"].as_object().is_some_and(|aliases| !aliases.is_empty())))
            .collect();
        indices.sort();
        indices
    }

    /// The indices that an asset's alias points to, without the prefix.
    pub(crate) fn behind(&self, asset: &str) -> Vec<String> {
        let found = self.get(&format!("/PREFIX-{asset}/_alias"));
        let mut names: Vec<String> = found
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.strip_prefix(self.prefix()).unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// The notes of this program in the mapping of an index.
    pub(crate) fn notes(&self, index: &str) -> Value {
        let found = self.get(&format!("/PREFIX-{index}/_mapping"));
        found[format!("{}{index}", self.prefix())]["mappings"]["_meta"]["orchestrator"].clone()
    }

    /// Everything under the prefix that a write would change: for each index when it was
    /// made, its documents' sequence numbers, operations and refreshes, and the versions of
    /// its mapping, settings and aliases. Sizes and deleted documents change by merging alone.
    pub(crate) fn footprint(&self) -> Value {
        // Leases are written without a refresh, and documents count once they are refreshed.
        self.send(Method::POST, "/PREFIX-*/_refresh?expand_wildcards=all", &Value::Null);
        let state = self.get(
            "/_cluster/state/metadata/PREFIX-*?expand_wildcards=all&filter_path=metadata.indices.*.mapping_version,\
             metadata.indices.*.settings_version,metadata.indices.*.aliases_version,metadata.indices.*.settings.index.creation_date",
        );
        let stats = self.get(
            "/PREFIX-*/_stats/indexing,docs?level=shards&expand_wildcards=all&filter_path=indices.*.uuid,\
             indices.*.shards.*.indexing.index_total,indices.*.shards.*.indexing.delete_total,\
             indices.*.shards.*.docs.count,indices.*.shards.*.seq_no.max_seq_no",
        );
        assert!(!state["metadata"]["indices"].as_object().unwrap().is_empty(), "{state}");
        json!({"state": state, "stats": stats})
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A process that is read line by line while it runs. It ends with the test.
pub(crate) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(bench: &Bench, arguments: &[&str]) -> Self {
        Self::of(bench.command(arguments))
    }

    /// Starts it with a pipe that is its standard input.
    pub(crate) fn with_input(bench: &Bench, arguments: &[&str]) -> (Self, ChildStdin) {
        let mut command = bench.command(arguments);
        command.stdin(Stdio::piped());
        let mut running = Self::of(command);
        let input = running.child.stdin.take().unwrap();
        (running, input)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads events until one of a name comes.
    pub(crate) fn until(&mut self, event: &str) -> Value {
        for line in &mut self.lines {
            let read: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if read["event"] == event {
                return read;
            }
        }
        panic!("the program ended without the event {event}");
    }

    /// The rest of what it prints, and its exit code.
    pub(crate) fn end(mut self) -> (Vec<Value>, Option<i32>) {
        let rest = self.lines.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the reference pipeline.
pub(crate) fn flights_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/flights")
}
