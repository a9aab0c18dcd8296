//! Two processes run the same pipeline side by side, and one of them is killed at a random moment.
//!
//! The other has to succeed, and so has one more run. Then each partition is published once, no
//! unfinished generation remains, and each document is there once. In every second round the two
//! processes share a folder; in the others each has a copy of its own.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xtask::{example, scope};

use crate::bench::last_with;
use crate::soak::compare::{Difference, ids};
use crate::soak::generations::Generations;
use crate::soak::random::Random;
use crate::soak::report::Row;
use crate::soak::running::{Invocation, Running};
use crate::soak::{Soak, VERIFY_LIMIT};

/// The asset that is run.
const ASSET: &str = "departures";

/// The partitions of the asset: the months of 2013.
const PARTITIONS: usize = 12;

/// The documents of the asset.
const DOCUMENTS: usize = 336_776;

/// Superseded generations that a run keeps of each partition, by default.
const KEEP: usize = 1;

/// The moment of the kill, as a share of the time of an undisturbed run: a pair on one machine takes
/// longer than a single run, so some kills come after everything is written.
const MOMENT: (f64, f64) = (0.0, 1.2);

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let mut random = Random::new(soak.seed ^ 0x7061_6972);
    let pair = Pair::prepare(soak)?;
    let whole = pair.undisturbed()?;
    println!("{}", Round::heading());
    let mut kills = 0;
    for number in 1..=soak.extent.pairs {
        let round = pair.play(number, &mut random, whole);
        println!("{}", round.render());
        kills += u64::from(round.killed_after.is_some());
        row.add(&round.prefix(), DOCUMENTS as u64, round.difference);
        row.problems.extend(round.problems.iter().map(|problem| format!("round {number}: {problem}")));
        row.faults = format!("{kills} of {number} pairs lost one");
    }
    row.figure = format!("undisturbed {:.1} s", whole.as_secs_f64());
    Ok(())
}

/// Two copies of the example pipeline, and the node that they run on.
struct Pair<'a> {
    soak: &'a Soak,
    folders: [PathBuf; 2],
}

/// The outcome of one round.
#[derive(Debug, Default)]
struct Round {
    number: u64,
    shares_folder: bool,
    /// The time from the start of both processes; `None` if the process had ended before.
    killed_after: Option<Duration>,
    other_took: Duration,
    last_took: Duration,
    /// Published, superseded and unfinished generations.
    generations: [usize; 3],
    documents: usize,
    difference: Difference,
    problems: Vec<String>,
}

impl<'a> Pair<'a> {
    fn prepare(soak: &'a Soak) -> Result<Self> {
        let folder = soak.folder.join("pairs");
        let folders = ["first", "second"].map(|name| folder.join(name));
        for folder in &folders {
            example::copy_to(folder, |pipeline| Ok(pipeline.to_owned()))?;
        }
        Ok(Self { soak, folders })
    }

    /// Runs the asset alone, and returns how long it takes.
    fn undisturbed(&self) -> Result<Duration> {
        let mut alone = Round::default();
        let took = self.run("alone", &self.folders[0], &alone.prefix())?.finish()?;
        self.inspect(&mut alone, &self.folders[0])?;
        self.clean_up(&alone)?;
        if !alone.problems.is_empty() {
            bail!("a run by itself leaves problems: {}", alone.problems.join("; "));
        }
        Ok(took)
    }

    /// Plays a round; an error is a problem of the round.
    fn play(&self, number: u64, random: &mut Random, whole: Duration) -> Round {
        let mut round = Round { number, shares_folder: number % 2 == 1, ..Round::default() };
        let moment = random.share(whole, MOMENT.0, MOMENT.1);
        let kills_first = random.next().is_multiple_of(2);
        let played = self.disturb(&mut round, moment, kills_first);
        let other = &self.folders[usize::from(!round.shares_folder && kills_first)];
        // Whatever happened, another run has to repair it.
        let last = self.run("last", other, &round.prefix()).and_then(|mut running| running.finish());
        let last = last.map(|took| round.last_took = took);
        let inspected = self.inspect(&mut round, other);
        let cleaned = self.clean_up(&round);
        for error in [played, last, inspected, cleaned].into_iter().filter_map(Result::err) {
            round.problems.push(format!("{error:#}"));
        }
        round
    }

    /// Starts both processes, kills one, and waits for the other.
    fn disturb(&self, round: &mut Round, moment: Duration, kills_first: bool) -> Result<()> {
        let prefix = round.prefix();
        let second = &self.folders[usize::from(!round.shares_folder)];
        let first = self.run("first", &self.folders[0], &prefix)?;
        let second = self.run("second", second, &prefix)?;
        let (mut victim, mut other) = if kills_first { (first, second) } else { (second, first) };
        if !victim.ends_within(moment)? {
            victim.kill()?;
            round.killed_after = Some(moment);
        }
        round.other_took = other.finish()?;
        Ok(())
    }

    fn run(&self, what: &'static str, folder: &Path, prefix: &str) -> Result<Running> {
        self.invoke(what, folder, prefix, &["run", ASSET])
    }

    fn invoke(&self, what: &'static str, folder: &Path, prefix: &str, arguments: &[&str]) -> Result<Running> {
        let (program, url) = (&self.soak.program, self.soak.node.url());
        let arguments = arguments.iter().map(OsString::from).collect();
        Invocation { what, program, folder, arguments, url, prefix: Some(prefix) }.start()
    }

    /// Checks generations, documents, and the answer of `status`.
    fn inspect(&self, round: &mut Round, folder: &Path) -> Result<()> {
        let client = self.soak.node.client()?;
        let prefix = round.prefix();
        let alias = format!("{prefix}{ASSET}");
        let generations = Generations::read(&client, &alias)?;
        round.generations = generations.counts();
        round.problems.extend(generations.problems(PARTITIONS, KEEP));
        let found = ids(&client, &alias)?;
        round.documents = found.len();
        let different = found.iter().collect::<HashSet<_>>().len();
        round.difference.doubled = (found.len() - different) as u64;
        round.difference.lost = DOCUMENTS.saturating_sub(different) as u64;
        round.difference.changed = different.saturating_sub(DOCUMENTS) as u64;
        self.compare(&folder.join("data/flights.parquet"), &alias)?;
        self.check_status(round, folder, &prefix)
    }

    /// Compares counts, sums and missing values of every field with the file.
    fn compare(&self, parquet: &Path, alias: &str) -> Result<()> {
        let variables = [("ELASTICSEARCH_URL", self.soak.node.url())];
        let arguments = ["months".as_ref(), parquet.as_os_str(), alias.as_ref()];
        self.soak.python.run("verify.py", &arguments, &variables, VERIFY_LIMIT).map(drop)
    }

    fn check_status(&self, round: &mut Round, folder: &Path, prefix: &str) -> Result<()> {
        let mut status = self.invoke("status", folder, prefix, &["status", ASSET])?;
        status.finish()?;
        let said = last_with(&status.printed()?, "published").context("`status --json` names no published part")?;
        let (published, rows) = (&said["published"], &said["rows"]);
        if *published != PARTITIONS || *rows != DOCUMENTS || said["state"] != "up to date" {
            let state = &said["state"];
            round.problems.push(format!("`status` says {published} published, {rows} rows, {state}"));
        }
        Ok(())
    }

    fn clean_up(&self, round: &Round) -> Result<()> {
        scope::delete_all(&self.soak.node.client()?, &round.prefix())
    }
}

impl Round {
    fn prefix(&self) -> String {
        format!("pairs-{}-", self.number)
    }

    fn heading() -> String {
        line([
            "round",
            "folders",
            "killed s",
            "other s",
            "last s",
            "published",
            "superseded",
            "unfinished",
            "documents",
            "result",
        ])
    }

    fn render(&self) -> String {
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        let [published, superseded, unfinished] = self.generations.map(|count| count.to_string());
        let holds = self.problems.is_empty() && self.difference == Difference::default();
        let mut text = line([
            &self.number.to_string(),
            if self.shares_folder { "one" } else { "two" },
            &self.killed_after.map_or_else(|| "ended".to_owned(), seconds),
            &seconds(self.other_took),
            &seconds(self.last_took),
            &published,
            &superseded,
            &unfinished,
            &self.documents.to_string(),
            if holds { "holds" } else { "FAILS" },
        ]);
        for problem in &self.problems {
            text.push_str("\n  ");
            text.push_str(&problem.replace('\n', "\n  "));
        }
        text
    }
}

fn line(cells: [&str; 10]) -> String {
    let [round, folders, killed, other, last, published, superseded, unfinished, documents, result] = cells;
    format!(
        "{round:>5}  {folders:<7} {killed:>8} {other:>8} {last:>7} {published:>9} {superseded:>10} {unfinished:>10} {documents:>9}  {result}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_a_line_with_its_problems() {
        let mut round = Round {
            number: 3,
            shares_folder: true,
            killed_after: Some(Duration::from_millis(4_210)),
            other_took: Duration::from_secs(20),
            last_took: Duration::from_secs(2),
            generations: [12, 1, 0],
            documents: DOCUMENTS,
            ..Round::default()
        };
        assert_eq!(
            round.render(),
            "    3  one          4.2     20.0     2.0        12          1          0    336776  holds"
        );
        round.killed_after = None;
        round.problems.push("the run\nfailed".into());
        assert!(round.render().ends_with("FAILS\n  the run\n  failed"), "{}", round.render());
        assert!(round.render().contains("ended"));
        assert_eq!(Round::heading().find("result"), round.render().find("FAILS"));
    }
}
