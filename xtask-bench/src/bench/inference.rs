//! `cargo xtask bench inference`: the flights of 2013 scored and written back, beside elasticsearch-py's
//! `scan`, pandas, ONNX Runtime for Python and `parallel_bulk`.
//!
//! Both read the same columns of the same index, score them with the model of the example (its numbers are
//! columns of the flights here, as no feature is joined), and write a prediction a flight into an index of
//! the same mapping. Both are whole processes.

use anyhow::{Context, Result, ensure};
use xtask::{example, onnxruntime};

use super::CommonArgs;
use super::measure::Measured;
use super::pair::{Pair, Side};
use super::programs::Programs;
use super::session::Session;
use crate::python::{Packages, Python};

/// The asset with the rows, and the one with the predictions.
const ROWS: &str = "departures";
const SCORES: &str = "scores";

const DOCUMENTS: u64 = 336_776;

/// The asset of the predictions and its model, after the other assets.
const ASSET: &str = "  scores:
    kind: inference
    from: departures
    model: models:/bench@champion
    rescore: all
    write: { to: predictions, id: [carrier, flight, time_hour], keep: [carrier] }
    index: { settings: { number_of_replicas: 0 } }
";

const MODEL: &str = "\nmodels:\n  bench: { file: model.onnx, alias: champion, inputs: [distance, sched_dep_time, \
    sched_arr_time, dep_delay, arr_delay, air_time, flight] }\n";

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    let library = onnxruntime::library()?;
    Session::with(args, |session| {
        let project = session.folder.join("inference");
        example::copy_to(&project, |pipeline| {
            let (assets, _) = example::with_asset(pipeline, ASSET)?
                .split_once("\nmodels:\n")
                .map(|(before, after)| (before.to_owned(), after.to_owned()))
                .context("the example has no section `models`")?;
            Ok(assets + MODEL)
        })?;
        let peer = Python::prepare_with(&session.folder, &Packages::INFERENCE)?;
        let work = Programs { session, program: &program, library: &library, project, peer, script: "score.py" };
        let prefix = session.cluster.prefix().to_owned();
        work.orchestrator("load", &["run", ROWS], &prefix)?;
        let pair = Pair { work: "flights scored".into(), documents: DOCUMENTS, names: ["orchestrator", "Python"] };
        let comparison = pair.compare(args.rounds, |side, number| iterate(&work, side, number, &prefix))?;
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
        session.keep_figures("inference.json", &serde_json::to_vec_pretty(&comparison)?)
    })
}

fn iterate(work: &Programs<'_>, side: Side, number: u32, prefix: &str) -> Result<(f64, Measured)> {
    work.session.cluster.wait_for_merges()?;
    let index = match side {
        Side::First => format!("{prefix}{SCORES}"),
        Side::Second => format!("{prefix}peer-{number}"),
    };
    let (rows, model) = (format!("{prefix}{ROWS}"), work.project.join("model.onnx"));
    let arguments = |what: &'static str| [what.as_ref(), rows.as_ref(), index.as_ref(), model.as_os_str()];
    let measured = match side {
        Side::First => work.orchestrator("score", &["run", "--full-refresh", SCORES], prefix)?,
        Side::Second => work.peer(&arguments("score"))?,
    };
    let checked = work.check(&arguments("check"))?;
    ensure!(checked == DOCUMENTS.to_string(), "{index} has {checked} right predictions of {DOCUMENTS}");
    Ok((measured.wall_seconds, measured))
}
