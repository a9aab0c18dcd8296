//! The scoring process is killed at random moments.
//!
//! Before each round the alias of the model moves between two versions, so that every row is to be scored
//! again. A run is killed, and another one brings it to its end. Then one generation is published, each row has
//! one prediction, and the version of the round made all of them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use xtask::{example, onnxruntime, scope};

use crate::soak::Soak;
use crate::soak::compare::{Difference, ids};
use crate::soak::generations::Generations;
use crate::soak::random::Random;
use crate::soak::report::Row;
use crate::soak::running::{Invocation, Running};

/// The asset with the predictions, of the flights of January and February.
const SCORES: &str = "  scores:
    kind: inference
    from: departures
    where: { range: { time_hour: { lt: \"2013-03-01\" } } }
    model: models:/soak@champion
    write: { to: predictions, id: [carrier, flight, time_hour], keep: [carrier] }
";

/// The columns of the first version, which is the champion at first.
const INPUTS: &str = "distance,sched_dep_time,sched_arr_time,dep_delay,arr_delay,air_time,flight";

/// Those of the second, which is the same file.
const OTHER_INPUTS: &str = "sched_dep_time,distance,sched_arr_time,dep_delay,arr_delay,air_time,flight";

/// The index prefix of the scenario.
const PREFIX: &str = "soak-scoring-";

/// The moment of the kill, as a share of the time of an undisturbed run.
const MOMENT: (f64, f64) = (0.0, 1.0);

/// Rounds for each kill: some runs end before.
const MOST_ROUNDS: u64 = 3;

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let mut random = Random::new(soak.seed ^ 0x7363_6f72);
    let scoring = Scoring::prepare(soak)?;
    let (whole, rows) = scoring.undisturbed()?;
    let (mut kills, mut round) = (0, 0);
    while kills < soak.extent.scoring_kills && round < soak.extent.scoring_kills * MOST_ROUNDS {
        round += 1;
        let version = 1 + round % 2;
        scoring.call("promote", &["models", "promote", &format!("soak/{version}"), "champion"])?;
        let mut victim = scoring.start("victim", &["run", "scores"])?;
        if !victim.ends_within(random.share(whole, MOMENT.0, MOMENT.1))? {
            victim.kill()?;
            kills += 1;
        }
        scoring.call("last", &["run", "scores"])?;
        let name = format!("round {round}");
        let difference = scoring.inspect(version, rows, &name, row)?;
        row.add(&name, rows as u64, difference);
        row.faults = format!("{kills} kills");
        eprintln!("{}", row.so_far());
    }
    row.require(kills == soak.extent.scoring_kills, || format!("only {kills} runs were killed in {round} rounds"));
    row.figure = format!("undisturbed {:.1} s", whole.as_secs_f64());
    scope::delete_all(&soak.node.client()?, PREFIX)
}

/// A copy of the example pipeline with an asset of predictions, and the node that it runs on.
struct Scoring<'a> {
    soak: &'a Soak,
    folder: PathBuf,
}

impl<'a> Scoring<'a> {
    fn prepare(soak: &'a Soak) -> Result<Self> {
        let folder = soak.folder.join("scoring");
        let library = onnxruntime::library()?;
        example::copy_to(&folder, |pipeline| {
            let with_scores = example::with_asset(pipeline, SCORES)?;
            let (assets, _) = with_scores.split_once("\nmodels:\n").context("it has no section `models`")?;
            let (library, inputs) = (json!(library), json!(INPUTS.split(',').collect::<Vec<_>>()));
            Ok(format!(
                "{assets}\nmodels:\n  soak: {{ file: model.onnx, alias: champion, inputs: {inputs} }}\ninference: {{ \
                 library: {library} }}\n"
            ))
        })?;
        Ok(Self { soak, folder })
    }

    /// Loads the flights, scores them undisturbed, and registers the second version. Returns how long scoring
    /// takes, and the number of rows.
    fn undisturbed(&self) -> Result<(Duration, usize)> {
        self.call("load", &["run", "departures"])?;
        self.call("first", &["run", "scores"])?;
        let model = self.folder.join("model.onnx").display().to_string();
        let again = ["models", "register", "soak", &model, "--inputs", OTHER_INPUTS, "--alias", "champion"];
        self.call("register", &again)?;
        let took = self.call("alone", &["run", "scores"])?;
        let rows = ids(&self.soak.node.client()?, &format!("{PREFIX}scores"))?.len();
        if rows == 0 {
            bail!("a run by itself scores no rows");
        }
        Ok((took, rows))
    }

    fn start(&self, what: &'static str, arguments: &[&str]) -> Result<Running> {
        let arguments = arguments.iter().map(OsString::from).collect();
        let (program, folder, url) = (self.soak.program.as_path(), self.folder.as_path(), self.soak.node.url());
        Invocation { what, program, folder, arguments, url, prefix: Some(PREFIX) }.start()
    }

    fn call(&self, what: &'static str, arguments: &[&str]) -> Result<Duration> {
        self.start(what, arguments)?.finish()
    }

    /// Checks generations, rows and versions.
    fn inspect(&self, version: u64, rows: usize, name: &str, row: &mut Row) -> Result<Difference> {
        let client = self.soak.node.client()?;
        let alias = format!("{PREFIX}scores");
        let problems = Generations::read(&client, &alias)?.problems(1, 1);
        row.problems.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
        let found = ids(&client, &alias)?;
        let different = found.iter().collect::<HashSet<_>>().len();
        let other = json!({"query": {"bool": {"must_not": [{"term": {"model_version": version}}]}}});
        let other: Value = client.post_ok(&format!("/{alias}/_count"), Some(&other))?;
        Ok(Difference {
            lost: rows.saturating_sub(different) as u64,
            doubled: (found.len() - different) as u64,
            changed: other["count"].as_u64().context("the node returns no count")?,
        })
    }
}
