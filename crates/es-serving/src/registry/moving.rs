//! Moves of aliases, and their history.
//!
//! The document of an alias is the truth about it, and carries its newest move. It is replaced by
//! compare-and-set, so of two moves from the same state one wins. A move gets a document of its own
//! right after, and at the latest before the alias is replaced the next time, by whoever does that.
//! So moves 1 to n - 1 always have documents of their own, move n stands in the alias, and a history
//! is read as these: at no moment can it have a move that did not happen, or lack one that did.
//! The other order, the move's document first, could leave a move behind that never happened.

use es_core::{Document, Precondition};
use jiff::Timestamp;
use serde_json::json;
use tracing::{debug, info};

use super::Registry;
use super::alias::{AliasMove, AliasState, Move, MoveKind, check_chain, live_at, version_before};
use super::names::check_name;
use super::rule::{PromotionRule, RuleVerdict};
use super::store::{Order, alias_document, alias_id, damaged, move_document, move_id, unchanged};
use super::version::Version;
use crate::error::{Error, ErrorKind};

/// Attempts at a move whose alias is touched, but not moved, by retirements at the same time.
pub(crate) const MOST_ATTEMPTS: usize = 100;

/// The state of an alias that a promotion expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Whatever it is when the promotion reads it. A move at the same time is a conflict all the same.
    #[default]
    Any,
    /// It points to this version, or, with None, is not there.
    From(Option<u32>),
}

/// The terms of a promotion.
///
/// ```
/// use es_serving::registry::{Expected, PromotionRule, Terms};
/// let terms = Terms { expected: Expected::From(Some(2)), rule: Some(PromotionRule::new("auc")) };
/// assert_ne!(terms, Terms::default()); // from any version, without a rule
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// The state of the alias before.
    pub expected: Expected,
    /// The rule that the version must pass against the one that it replaces.
    pub rule: Option<PromotionRule>,
}

/// The outcome of a promotion.
#[derive(Clone, Debug, PartialEq)]
pub enum Promoted {
    /// The alias was moved.
    Moved(AliasMove),
    /// It pointed to the version already, since this move.
    Already(AliasMove),
}

impl Promoted {
    /// The newest move of the alias.
    pub fn newest(&self) -> &AliasMove {
        match self {
            Self::Moved(newest) | Self::Already(newest) => newest,
        }
    }
}

impl Registry {
    /// Points an alias to a version. An alias that is not there comes to be.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], with who moved the alias where, when it is not in the expected state or
    /// is moved at the same time; [`ErrorKind::Refused`] when the version is retired, or the rule does
    /// not allow it, with the numbers; [`ErrorKind::NotFound`] when there is no such model or version;
    /// [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn promote(
        &self,
        model: &str,
        alias: &str,
        to: u32,
        by: &Move,
        terms: &Terms,
    ) -> Result<Promoted, Error> {
        check_promotion(alias, by, terms)?;
        // Before anything is written for a model or version that is not there.
        self.numbered(model, to).await?;
        self.store.prepare().await?;
        for _ in 0..MOST_ATTEMPTS {
            let state = self.open_alias(model, alias).await?;
            check_expected(&state.source, terms.expected, to)?;
            if let Some(newest) = state.source.newest.as_ref().filter(|newest| newest.to == to) {
                return Ok(Promoted::Already(newest.clone()));
            }
            // After the alias was read: see `retire`.
            let candidate = self.numbered(model, to).await?;
            check_not_retired(&candidate, alias)?;
            let verdict = self.judge(&state.source, &candidate, terms.rule.as_ref()).await?;
            let mut step = state.source.next(new_id(), to, MoveKind::Promotion, by, Timestamp::now());
            step.verdict = verdict;
            if let Some(step) = self.attempt(&state, step).await? {
                return Ok(Promoted::Moved(step));
            }
        }
        Err(too_many_attempts(model, alias))
    }

    /// Points an alias back to the version before: that before the newest promotion which was not
    /// rolled back. Each rollback goes back by one promotion more, and never to a version that was
    /// rolled back itself. No rule holds it up.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when there is no version before, or it is retired; [`ErrorKind::Conflict`]
    /// when the alias is moved at the same time; [`ErrorKind::NotFound`] when there is no such model or
    /// alias; [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn rollback(&self, model: &str, alias: &str, by: &Move) -> Result<AliasMove, Error> {
        by.check()?;
        let newest = self.alias(model, alias).await?;
        self.store.prepare().await?;
        for _ in 0..MOST_ATTEMPTS {
            let state = self.open_alias(model, alias).await?;
            if state.source.newest.as_ref() != Some(&newest) {
                return Err(conflict(&state.source, "this rollback"));
            }
            let moves = self.moves_until(&newest).await?;
            let to = target(&moves, &newest)?;
            let version = self.numbered(model, to).await?;
            check_not_retired(&version, alias)?;
            let step = state.source.next(new_id(), to, MoveKind::Rollback, by, Timestamp::now());
            if let Some(step) = self.attempt(&state, step).await? {
                return Ok(step);
            }
        }
        Err(too_many_attempts(model, alias))
    }

    /// All moves of an alias, the oldest first: a chain without gaps, in which each is from where the
    /// one before led.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model or alias; [`ErrorKind::Damaged`] when a
    /// document of the history was changed by hand; [`ErrorKind::Elasticsearch`] when it cannot be
    /// asked.
    pub async fn history(&self, model: &str, alias: &str) -> Result<Vec<AliasMove>, Error> {
        let newest = self.alias(model, alias).await?;
        self.moves_until(&newest).await
    }

    /// The move that brought the version which an alias pointed to at a time; None when the alias was
    /// not there yet. A version is live from the very instant of its move.
    ///
    /// # Errors
    /// As [`Registry::history`].
    pub async fn live_at(&self, model: &str, alias: &str, time: Timestamp) -> Result<Option<AliasMove>, Error> {
        let moves = self.history(model, alias).await?;
        Ok(live_at(&moves, time).cloned())
    }

    async fn judge(
        &self,
        state: &AliasState,
        candidate: &Version,
        rule: Option<&PromotionRule>,
    ) -> Result<Option<RuleVerdict>, Error> {
        let Some(rule) = rule else { return Ok(None) };
        let champion = match state.version() {
            Some(number) => Some(self.numbered(&state.model, number).await?),
            None => None,
        };
        let verdict = rule.judge(candidate, champion.as_ref());
        rule.enforce(verdict, candidate.number, &state.alias).map(Some)
    }

    /// Reads the document of an alias. One that is not there is created without a move, so that each
    /// move, also the first, replaces a document that others can touch.
    pub(crate) async fn open_alias(&self, model: &str, alias: &str) -> Result<Document<AliasState>, Error> {
        let id = alias_id(model, alias);
        if let Some(found) = self.store.get(&id).await? {
            return Ok(found);
        }
        self.store.put(&id, &alias_document(&AliasState::new(model, alias)), Precondition::Absent).await?;
        self.store.get_conflicting(&id).await
    }

    /// Replaces the alias as it was read by the same with its next move. None when its document was
    /// changed meanwhile, but the alias was not moved.
    async fn attempt(&self, state: &Document<AliasState>, step: AliasMove) -> Result<Option<AliasMove>, Error> {
        self.attempt_at(state, step, false).await
    }

    /// As `attempt`, for a move that is then still to be made at another place.
    pub(crate) async fn attempt_at(
        &self,
        state: &Document<AliasState>,
        step: AliasMove,
        is_pending: bool,
    ) -> Result<Option<AliasMove>, Error> {
        if let Some(newest) = &state.source.newest {
            self.file(newest).await?;
        }
        let next = AliasState { newest: Some(step.clone()), is_pending, ..state.source.clone() };
        let id = alias_id(&step.model, &step.alias);
        if !self.store.put(&id, &alias_document(&next), unchanged(state)).await? {
            let now: Document<AliasState> = self.store.get_conflicting(&id).await?;
            if now.source.moves() == state.source.moves() {
                return Ok(None);
            }
            if !self.is_ours(&now.source, &step).await? {
                return Err(conflict(&now.source, &format!("this move to {}", step.to)));
            }
        }
        info!(model = step.model, alias = step.alias, from = step.from, to = step.to, by = step.by, "moved an alias");
        // The move is made; its own document is for searches, until the next move needs it.
        if let Err(error) = self.file(&step).await {
            debug!(%error, "the document of a move is left to the next one");
        }
        Ok(Some(step))
    }

    /// Returns whether a move was made whose answer was lost.
    async fn is_ours(&self, now: &AliasState, step: &AliasMove) -> Result<bool, Error> {
        if now.moves() == step.number {
            return Ok(now.newest.as_ref().is_some_and(|newest| newest.id == step.id));
        }
        let filed = self.store.get::<AliasMove>(&move_id(&step.model, &step.alias, step.number)).await?;
        Ok(filed.is_some_and(|filed| filed.source.id == step.id))
    }

    /// Gives a move a document of its own, if it has none.
    async fn file(&self, step: &AliasMove) -> Result<(), Error> {
        let id = move_id(&step.model, &step.alias, step.number);
        self.store.put(&id, &move_document(step), Precondition::Absent).await?;
        Ok(())
    }

    /// The moves of an alias up to its newest one, which the alias carries.
    pub(crate) async fn moves_until(&self, newest: &AliasMove) -> Result<Vec<AliasMove>, Error> {
        let AliasMove { model, alias, .. } = newest;
        let filter = [
            json!({"term": {"record": "move"}}),
            json!({"term": {"model": model}}),
            json!({"term": {"alias": alias}}),
            json!({"range": {"number": {"lt": newest.number}}}),
        ];
        let found = self.store.all(&filter, "number", Order::Ascending, |step: &AliasMove| step.number).await?;
        let mut found = found.into_iter().peekable();
        let mut moves = Vec::new();
        for number in 1..newest.number {
            if let Some(step) = found.next_if(|step| step.number == number) {
                moves.push(step);
                continue;
            }
            // Searches see a document with the next refresh, reads by id at once.
            let Some(filed) = self.store.get(&move_id(model, alias, number)).await? else {
                let message = format!("the history of {model}@{alias} lacks move {number} of {}", newest.number);
                return Err(damaged(&self.store.index, message));
            };
            moves.push(filed.source);
        }
        moves.push(newest.clone());
        check_chain(&moves)
            .map_err(|why| damaged(&self.store.index, format!("the history of {model}@{alias} is no chain: {why}")))?;
        Ok(moves)
    }
}

pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Checks what can be checked before anything is read.
pub(crate) fn check_promotion(alias: &str, by: &Move, terms: &Terms) -> Result<(), Error> {
    by.check()?;
    check_name("alias", alias)?;
    match &terms.rule {
        Some(rule) => rule.check(),
        None => Ok(()),
    }
}

pub(crate) fn check_expected(state: &AliasState, expected: Expected, to: u32) -> Result<(), Error> {
    match expected {
        Expected::From(version) if version != state.version() => {
            let AliasState { model, alias, .. } = state;
            let before = version.map_or("no version".to_owned(), |version| format!("version {version}"));
            let message = match &state.newest {
                Some(newest) => format!("{model}@{alias} is expected at {before}, and {newest}"),
                None => format!("{model}@{alias} is expected at {before}, and is not there"),
            };
            Err(Error::new(ErrorKind::Conflict, message).with_help(format!(
                "look at the version that it points to, and promote {to} again if that is still right"
            )))
        }
        _ => Ok(()),
    }
}

/// The version that a rollback leads to.
pub(crate) fn target(moves: &[AliasMove], newest: &AliasMove) -> Result<u32, Error> {
    version_before(moves).ok_or_else(|| {
        let AliasMove { model, alias, to, .. } = newest;
        let message = format!("there is no version before {to} to roll {model}@{alias} back to");
        Error::new(ErrorKind::Refused, message).with_help("promote the version that it should be")
    })
}

fn check_not_retired(version: &Version, alias: &str) -> Result<(), Error> {
    let Some(retirement) = &version.retirement else { return Ok(()) };
    let (model, number) = (&version.model, version.number);
    let by = format!("by {} at {}", retirement.by, retirement.at);
    let (message, help) = if retirement.is_complete {
        (format!("version {number} of {model} was retired {by}"), "name another version, or unretire this one")
    } else {
        let help = "wait, or unretire it; if that process is gone, retire it again to finish";
        (format!("version {number} of {model} is being retired {by}"), help)
    };
    Err(Error::new(ErrorKind::Refused, format!("{message}, and cannot become {alias}")).with_help(help))
}

pub(crate) fn conflict(now: &AliasState, what: &str) -> Error {
    let message = match &now.newest {
        Some(newest) => format!("{newest}, at the same time as {what}"),
        None => format!("{}@{} was changed at the same time as {what}", now.model, now.alias),
    };
    Error::new(ErrorKind::Conflict, message).with_help("look at the version that it points to now, and decide again")
}

pub(crate) fn too_many_attempts(model: &str, alias: &str) -> Error {
    let message = format!("{model}@{alias} was changed {MOST_ATTEMPTS} times by retirements during one move");
    Error::new(ErrorKind::Conflict, message).with_help("try again when versions are no longer being retired")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: Option<u32>) -> AliasState {
        let mut state = AliasState::new("late", "champion");
        if let Some(to) = version {
            let step = state.next("a".into(), to, MoveKind::Promotion, &Move::by("ana"), Timestamp::UNIX_EPOCH);
            state.newest = Some(step);
        }
        state
    }

    #[test]
    fn an_unexpected_state_says_who_moved_it_where() {
        let table = [
            (Expected::Any, None, None),
            (Expected::Any, Some(2), None),
            (Expected::From(None), None, None),
            (Expected::From(Some(2)), Some(2), None),
            (
                Expected::From(None),
                Some(2),
                Some(
                    "late@champion is expected at no version, and ana moved late@champion to 2 at 1970-01-01T00:00:00Z",
                ),
            ),
            (
                Expected::From(Some(1)),
                Some(2),
                Some(
                    "late@champion is expected at version 1, and ana moved late@champion to 2 at 1970-01-01T00:00:00Z",
                ),
            ),
            (Expected::From(Some(1)), None, Some("late@champion is expected at version 1, and is not there")),
        ];
        for (expected, version, message) in table {
            let found = check_expected(&at(version), expected, 3).err();
            assert!(found.as_ref().is_none_or(|error| error.kind() == ErrorKind::Conflict));
            assert_eq!(found.map(|error| error.to_string()).as_deref(), message);
        }
    }
}
