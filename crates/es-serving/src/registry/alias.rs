//! Aliases and their moves: what a history says. Pure; reading and writing is left to `moving`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rule::RuleVerdict;
use crate::error::{Error, ErrorKind};

/// The author and the reason of a change, as they say.
///
/// ```
/// use es_serving::registry::Move;
/// let by = Move::by("ana").why("better on the test part").in_run("0192").with_evidence("auc 0.93");
/// assert_eq!(by.by, "ana");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// Who it is. An empty text is refused.
    pub by: String,
    /// The reason.
    pub why: Option<String>,
    /// The run that makes the change.
    pub run: Option<String>,
    /// The evidence, such as the id of the run that evaluated the version, or a metric.
    pub evidence: Option<String>,
}

impl Move {
    /// A change by somebody.
    pub fn by(who: impl Into<String>) -> Self {
        Self { by: who.into(), ..Self::default() }
    }

    /// Sets the reason.
    #[must_use]
    pub fn why(mut self, reason: impl Into<String>) -> Self {
        self.why = Some(reason.into());
        self
    }

    /// Sets the run that makes the change.
    #[must_use]
    pub fn in_run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Sets the evidence.
    #[must_use]
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.by.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "it is not said who makes the change").with_help("set Move::by"));
        }
        Ok(())
    }
}

/// The way in which an alias came to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    /// Somebody named the version.
    Promotion,
    /// Back to the version before.
    Rollback,
    /// Somebody moved it at the MLflow server, which was noticed at the time of the move.
    Elsewhere,
}

/// A move of an alias, as the history has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasMove {
    /// A name that no other move has.
    pub id: String,
    /// The model's name.
    pub model: String,
    /// The alias.
    pub alias: String,
    /// The number of the move: 1, 2, 3 and so on, without gaps.
    pub number: u64,
    /// The way.
    pub kind: MoveKind,
    /// The version before. None for the first move.
    pub from: Option<u32>,
    /// The version since.
    pub to: u32,
    /// When, in UTC: the clock of who moved it, but never before the move before.
    pub at: Timestamp,
    /// The clock of who moved it, where it was behind the move before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Timestamp>,
    /// See [`Move::by`].
    pub by: String,
    /// See [`Move::why`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// See [`Move::run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// See [`Move::evidence`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The verdict of the rule that the promotion was bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<RuleVerdict>,
}

impl fmt::Display for AliasMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} moved {}@{}", self.by, self.model, self.alias)?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        write!(f, " to {} at {}", self.to, self.at)
    }
}

/// The document of an alias: the truth about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AliasState {
    pub(crate) model: String,
    pub(crate) alias: String,
    /// The newest move. None from when the document is created until the first move.
    pub(crate) newest: Option<AliasMove>,
    /// Counts changes that are no moves: see `retiring`.
    pub(crate) touched: u64,
    /// The newest move is still to be made at the MLflow server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_pending: bool,
}

impl AliasState {
    pub(crate) fn new(model: &str, alias: &str) -> Self {
        Self { model: model.to_owned(), alias: alias.to_owned(), newest: None, touched: 0, is_pending: false }
    }

    pub(crate) fn moves(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.number)
    }

    pub(crate) fn version(&self) -> Option<u32> {
        self.newest.as_ref().map(|newest| newest.to)
    }

    /// The next move, at the time of a clock.
    pub(crate) fn next(&self, id: String, to: u32, kind: MoveKind, by: &Move, now: Timestamp) -> AliasMove {
        let before = self.newest.as_ref();
        let at = before.map_or(now, |before| before.at.max(now));
        AliasMove {
            id,
            model: self.model.clone(),
            alias: self.alias.clone(),
            number: self.moves() + 1,
            kind,
            from: self.version(),
            to,
            at,
            clock: (at != now).then_some(now),
            by: by.by.clone(),
            why: by.why.clone(),
            run: by.run.clone(),
            evidence: by.evidence.clone(),
            verdict: None,
        }
    }
}

/// The version that a rollback leads to: that before the newest promotion which was not rolled back.
/// Each rollback takes back one promotion more, and never leads to a version that was rolled back.
pub(crate) fn version_before(moves: &[AliasMove]) -> Option<u32> {
    let mut standing = Vec::new();
    for step in moves {
        match step.kind {
            MoveKind::Promotion | MoveKind::Elsewhere => standing.push(step.to),
            MoveKind::Rollback => {
                standing.pop();
            }
        }
    }
    standing.pop();
    standing.pop()
}

/// The move that brought the version which was live at a time. Of several moves at one instant the
/// last counts.
pub(crate) fn live_at(moves: &[AliasMove], time: Timestamp) -> Option<&AliasMove> {
    moves.iter().rev().find(|step| step.at <= time)
}

/// Refuses a history that is not a chain: numbers from 1, each move from where the one before led.
pub(crate) fn check_chain(moves: &[AliasMove]) -> Result<(), String> {
    let mut before: Option<&AliasMove> = None;
    for (step, number) in moves.iter().zip(1..) {
        if step.number != number {
            return Err(format!("move {} stands where move {number} is expected", step.number));
        }
        if step.from != before.map(|before| before.to) {
            let from = step.from.map_or("no version".to_owned(), |from| format!("version {from}"));
            let led = before.map_or("no version".to_owned(), |before| format!("version {}", before.to));
            return Err(format!("move {number} is from {from}, and the one before led to {led}"));
        }
        if before.is_some_and(|before| before.at > step.at) {
            return Err(format!("move {number} is earlier than the one before"));
        }
        before = Some(step);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The history of moves, one a second: `+3` is a promotion to 3, `-2` a rollback to 2.
    fn history(steps: &[i64]) -> Vec<AliasMove> {
        let mut state = AliasState::new("late", "champion");
        let mut moves = Vec::new();
        for (step, at) in steps.iter().zip(1..) {
            let kind = if *step < 0 { MoveKind::Rollback } else { MoveKind::Promotion };
            let to = u32::try_from(step.abs()).unwrap();
            let next = state.next(at.to_string(), to, kind, &Move::by("ana"), second(at));
            state.newest = Some(next.clone());
            moves.push(next);
        }
        moves
    }

    #[test]
    fn each_rollback_takes_back_one_promotion_more() {
        let table: &[(&[i64], Option<u32>)] = &[
            (&[], None),
            (&[1], None),
            (&[1, 2], Some(1)),
            (&[1, 2, 3], Some(2)),
            (&[1, 2, 3, -2], Some(1)),
            (&[1, 2, 3, -2, -1], None),
            (&[1, 2, -1, 3], Some(1)),
            (&[1, 2, 3, -2, 4], Some(2)),
            (&[1, 2, 3, -2, 4, -2], Some(1)),
            (&[1, 2, 1], Some(2)),
            (&[1, 2, 1, -2], Some(1)),
        ];
        for (steps, before) in table {
            assert_eq!(version_before(&history(steps)), *before, "{steps:?}");
        }
    }

    #[test]
    fn a_version_is_live_from_the_instant_of_its_move() {
        let mut moves = history(&[1, 2, 3]);
        let before = |second: i64| Timestamp::from_nanosecond(i128::from(second) * 1_000_000_000 - 1).unwrap();
        let table = [
            (second(0), None),
            (before(1), None),
            (second(1), Some(1)),
            (before(2), Some(1)),
            (second(2), Some(2)),
            (before(3), Some(2)),
            (second(3), Some(3)),
            (second(1_000_000), Some(3)),
        ];
        for (time, version) in table {
            assert_eq!(live_at(&moves, time).map(|step| step.to), version, "{time}");
        }
        moves[1].at = second(3);
        assert_eq!(live_at(&moves, second(3)).map(|step| step.to), Some(3));
        assert!(live_at(&[], second(3)).is_none());
    }

    #[test]
    fn a_clock_that_is_behind_is_noted_and_turns_no_move_around() {
        let mut state = AliasState::new("late", "champion");
        state.newest = Some(state.next("a".into(), 1, MoveKind::Promotion, &Move::by("ana"), second(100)));
        let next = state.next("b".into(), 2, MoveKind::Promotion, &Move::by("ben"), second(90));
        assert_eq!((next.at, next.clock), (second(100), Some(second(90))));
        assert_eq!((next.number, next.from), (2, Some(1)));
        let next = state.next("c".into(), 2, MoveKind::Promotion, &Move::by("ben"), second(101));
        assert_eq!((next.at, next.clock), (second(101), None));
    }

    #[test]
    fn a_history_with_a_gap_is_refused() {
        check_chain(&history(&[1, 2, 3, -2])).unwrap();
        check_chain(&[]).unwrap();
        let without = |left_out: usize| {
            let mut moves = history(&[1, 2, 3]);
            moves.remove(left_out);
            check_chain(&moves).unwrap_err()
        };
        assert_eq!(without(0), "move 2 stands where move 1 is expected");
        assert_eq!(without(1), "move 3 stands where move 2 is expected");
        let mut moves = history(&[1, 2]);
        moves[1].from = Some(7);
        assert_eq!(check_chain(&moves).unwrap_err(), "move 2 is from version 7, and the one before led to version 1");
        moves[1].from = None;
        assert_eq!(check_chain(&moves).unwrap_err(), "move 2 is from no version, and the one before led to version 1");
        let mut moves = history(&[1, 2]);
        moves[1].at = second(0);
        assert_eq!(check_chain(&moves).unwrap_err(), "move 2 is earlier than the one before");
    }

    #[test]
    fn a_move_is_said_in_a_line() {
        let moves = history(&[1, 2]);
        assert_eq!(moves[0].to_string(), "ana moved late@champion to 1 at 1970-01-01T00:00:01Z");
        assert_eq!(moves[1].to_string(), "ana moved late@champion from 1 to 2 at 1970-01-01T00:00:02Z");
    }
}
