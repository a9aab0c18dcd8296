//! `cargo xtask bench embeddings`: 20,000 short texts embedded and written back, beside elasticsearch-py's
//! `scan`, `tokenizers`, ONNX Runtime for Python and `parallel_bulk`.
//!
//! Both read the same texts of an index, embed them with the same model by one thread in batches of 32 texts of
//! similar length, and write a vector a text into an index of the same mapping. Both are whole processes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::{onnxruntime, text_model, workspace};

use super::CommonArgs;
use super::measure::Measured;
use super::pair::{Pair, Side};
use super::programs::Programs;
use super::session::Session;
use crate::python::{Packages, Python};

const TEXTS: u64 = 20_000;

const PIPELINE: &str = "version: 1
name: bench
assets:
  texts: { kind: ingest, from: { path: texts.ndjson }, id: [n] }
  passages:
    kind: embedding
    from: texts
    text: [text]
    keep: [n]
    model: models:/bench@champion
    options: { threads: 1, batch: { texts: 32 } }
    index: { settings: { number_of_replicas: 0 } }
";

/// The words of the texts.
const WORDS: &str = "the flight to Boston was late because of heavy snow and no crew had time left for another leg so \
    passengers waited at gate nine until morning while bags went on to Chicago without them and nobody could say \
    when weather would clear or whether a hotel room might be found near the airport after midnight";

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    let (library, model) = (onnxruntime::library()?, text_model::folder()?);
    Session::with(args, |session| {
        let project = session.folder.join("embeddings");
        workspace::empty_folder(&project)?;
        std::fs::write(project.join("texts.ndjson"), texts(TEXTS))?;
        let (file, tokenizer) = (json!(model.join("model.onnx")), json!(model.join("tokenizer.json")));
        let models = format!(
            "models:\n  bench: {{ file: {file}, alias: champion, text: {{ tokenizer: {tokenizer}, pooling: mean, \
             max_tokens: 256 }} }}\n"
        );
        std::fs::write(project.join("pipeline.yaml"), format!("{PIPELINE}{models}"))?;
        let peer = Python::prepare_with(&session.folder, &Packages::EMBEDDINGS)?;
        let work = Programs { session, program: &program, library: &library, project, peer, script: "embed.py" };
        let prefix = session.cluster.prefix().to_owned();
        let pair = Pair { work: "texts embedded".into(), documents: TEXTS, names: ["orchestrator", "Python"] };
        let comparison = pair.compare(args.rounds, |side, number| iterate(&work, &model, side, number, &prefix))?;
        session.cluster.clean_up()?;
        println!(
            "\n{}\non Elasticsearch {}, {}",
            comparison.render(),
            session.cluster.version()?,
            work.peer.versions()?
        );
        if !args.keep_venv {
            work.peer.remove()?;
        }
        session.keep_figures("embeddings.json", &serde_json::to_vec_pretty(&comparison)?)
    })
}

fn iterate(work: &Programs<'_>, model: &Path, side: Side, number: u32, prefix: &str) -> Result<(f64, Measured)> {
    // Vectors of a published generation would be copied: each round has a prefix of its own.
    let own = format!("{prefix}{number}-");
    let texts = format!("{own}texts");
    work.orchestrator("load", &["run", "texts"], &own)?;
    work.session.cluster.wait_for_merges()?;
    let index = match side {
        Side::First => format!("{own}passages"),
        Side::Second => format!("{own}peer"),
    };
    let arguments = |what: &'static str| [what.as_ref(), texts.as_ref(), index.as_ref(), model.as_os_str()];
    let measured = match side {
        Side::First => work.orchestrator("embed", &["run", "passages"], &own)?,
        Side::Second => work.peer(&arguments("embed"))?,
    };
    let checked = work.check(&arguments("check"))?;
    ensure!(checked == TEXTS.to_string(), "{index} has {checked} passages of {TEXTS}");
    Ok((measured.wall_seconds, measured))
}

/// Texts of 4 to 20 words as NDJSON, the same ones each time, and no two alike.
fn texts(number: u64) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    // The generator of Knuth, The Art of Computer Programming, volume 2, 3.3.4, table 1, line 26.
    let mut state: u64 = 42;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut lines = String::new();
    for n in 0..number {
        let length = 4 + next(17);
        let text: Vec<&str> = (0..length).map(|_| words[next(words.len())]).collect();
        let _ = writeln!(lines, "{}", json!({ "n": n, "text": format!("{} {n}", text.join(" ")) }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_each_time_and_no_two_alike() {
        let lines = texts(500);
        assert_eq!(lines, texts(500));
        let different: std::collections::HashSet<&str> =
            lines.lines().filter_map(|line| line.split_once("\"text\":")).map(|(_, text)| text).collect();
        assert_eq!(different.len(), 500);
    }
}
