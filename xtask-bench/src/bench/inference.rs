//! `cargo xtask bench inference`: the flights of 2013 scored and written back, beside elasticsearch-py's
//! `scan`, pandas, ONNX Runtime for Python and `parallel_bulk`.
//!
//! Both read the same columns of the same index, score them with the model of the example (its numbers are
//! columns of the flights here, as no feature is joined), and write a prediction a flight into an index of
//! the same mapping. Both are whole processes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::{example, onnxruntime};

use super::CommonArgs;
use super::measure::{Job, Measured, measure};
use super::pair::{Pair, Side};
use super::session::Session;
use crate::python::{Packages, Python};

/// The asset with the rows, and the one with the predictions.
const ROWS: &str = "departures";
const SCORES: &str = "scores";

const DOCUMENTS: u64 = 336_776;

/// The time limit for comparing the predictions of both.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);

/// The asset of the predictions and its model, after the other assets.
const ASSET: &str = "  scores:
    kind: inference
    from: departures
    model: models:/bench@champion
    write: { to: predictions, id: [carrier, flight, time_hour], keep: [carrier] }
    index: { settings: { number_of_replicas: 0 } }
";

const MODEL: &str = "\nmodels:\n  bench: { file: model.onnx, alias: champion, inputs: [distance, sched_dep_time, \
    sched_arr_time, dep_delay, arr_delay, air_time, flight] }\n";

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    let library = onnxruntime::library()?;
    Session::with(args, |session| {
        let folder = session.folder.join("inference");
        let project = folder.join("project");
        example::copy_to(&project, |pipeline| {
            let (assets, _) = example::with_asset(pipeline, ASSET)?
                .split_once("\nmodels:\n")
                .map(|(before, after)| (before.to_owned(), after.to_owned()))
                .context("the example has no section `models`")?;
            Ok(assets + MODEL)
        })?;
        let peer = Python::prepare_with(&session.folder, &Packages::INFERENCE)?;
        let work = Work { session, program: &program, library: &library, folder, project, peer };
        let prefix = session.cluster.prefix().to_owned();
        work.orchestrator("load", ROWS, &prefix)?;
        let pair = Pair { work: "flights scored".into(), documents: DOCUMENTS, names: ["orchestrator", "Python"] };
        let comparison = pair.compare(args.rounds, |side, number| work.iterate(side, number, &prefix))?;
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

struct Work<'a> {
    session: &'a Session,
    program: &'a Path,
    library: &'a Path,
    folder: PathBuf,
    /// The copy of the example.
    project: PathBuf,
    peer: Python,
}

impl Work<'_> {
    fn iterate(&self, side: Side, number: u32, prefix: &str) -> Result<(f64, Measured)> {
        self.session.cluster.wait_for_merges()?;
        let index = match side {
            Side::First => format!("{prefix}{SCORES}"),
            Side::Second => format!("{prefix}peer-{number}"),
        };
        let measured = match side {
            Side::First => self.orchestrator("score", SCORES, prefix)?,
            Side::Second => self.peer(prefix, &index)?,
        };
        let variables: Vec<(&str, &str)> = self.session.variables().collect();
        let rows = format!("{prefix}{ROWS}");
        let model = self.project.join("model.onnx");
        let checked = self.peer.run(
            "score.py",
            &["check".as_ref(), rows.as_ref(), index.as_ref(), model.as_os_str()],
            &variables,
            VERIFY_LIMIT,
        )?;
        ensure!(checked == DOCUMENTS.to_string(), "{index} has {checked} right predictions of {DOCUMENTS}");
        Ok((measured.wall_seconds, measured))
    }

    fn orchestrator(&self, name: &str, asset: &str, prefix: &str) -> Result<Measured> {
        let arguments: [&OsStr; 7] = [
            self.program.as_os_str(),
            "-q".as_ref(),
            "-C".as_ref(),
            self.project.as_os_str(),
            "run".as_ref(),
            "--full-refresh".as_ref(),
            asset.as_ref(),
        ];
        let library = self.library.display().to_string();
        let own = [("ELASTICSEARCH_INDEX_PREFIX", prefix), (onnxruntime::VARIABLE, library.as_str())];
        let variables = self.session.variables().chain(own).collect();
        measure(
            &self.session.python,
            &Job { arguments: arguments.to_vec(), variables, folder: &self.folder, name: name.to_owned() },
        )
    }

    fn peer(&self, prefix: &str, index: &str) -> Result<Measured> {
        let (interpreter, script) = (self.peer.interpreter(), self.peer.script("score.py"));
        let (rows, model) = (format!("{prefix}{ROWS}"), self.project.join("model.onnx"));
        let arguments: Vec<&OsStr> = vec![
            interpreter.as_os_str(),
            script.as_os_str(),
            "score".as_ref(),
            rows.as_ref(),
            index.as_ref(),
            model.as_os_str(),
        ];
        let variables = self.session.variables().collect();
        measure(&self.session.python, &Job { arguments, variables, folder: &self.folder, name: "peer".to_owned() })
    }
}
