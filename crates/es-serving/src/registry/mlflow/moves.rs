//! Moves of aliases on a tracking server, with their history in an index of ours.
//!
//! The server has no compare-and-set, so each move is made in our document of the alias first, which
//! decides who wins, and at the server after that. Until then the document says that the move is
//! pending; whoever reads it next makes it at the server. A move that somebody made at the server by
//! other means is noticed by the next operation here, and goes into the history with that time.
//!
//! A process that is late may set an older version at the server after a newer one. It finds out by
//! compare-and-set of the document right after, and sets the newest one again. If it is killed in
//! between, the older version counts as moved there by somebody else.

use std::time::Duration;

use es_core::{Client, Document};
use jiff::Timestamp;
use serde_json::json;
use tracing::{info, warn};

use super::Mlflow;
use crate::error::{Error, ErrorKind};
use crate::registry::Registry;
use crate::registry::alias::{AliasMove, AliasState, Move, MoveKind, live_at};
use crate::registry::moving::{
    MOST_ATTEMPTS, Promoted, Terms, check_expected, check_promotion, conflict, new_id, target, too_many_attempts,
};
use crate::registry::rule::{PromotionRule, RuleVerdict};
use crate::registry::store::{Order, Store, alias_document, alias_id, unchanged};

/// The wait before a version that the server has and the history does not is taken for a move by
/// somebody else.
const SETTLING: Duration = Duration::from_secs(1);

/// The author of moves that were made at the server.
const ELSEWHERE: &str = "somebody at the MLflow server";

/// The aliases of a tracking server, with a history of their moves in the hidden index
/// `{prefix}orchestrator-models-mlflow`.
///
/// ```no_run
/// # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use es_serving::registry::mlflow::{Mlflow, MlflowOptions, MlflowRegistry};
/// use es_serving::registry::{Move, Terms};
///
/// let server = Mlflow::new(MlflowOptions::new("http://127.0.0.1:5000"))?;
/// let registry = MlflowRegistry::new(server, client, "ml-");
/// registry.promote("late", "champion", 3, &Move::by("ana"), &Terms::default()).await?;
/// let live = registry.live_at("late", "champion", "2026-10-01T00:00:00Z".parse()?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MlflowRegistry {
    server: Mlflow,
    history: Registry,
}

impl MlflowRegistry {
    /// The aliases of a server, with their history under a prefix.
    pub fn new(server: Mlflow, client: Client, prefix: &str) -> Self {
        let index = format!("{prefix}orchestrator-models-mlflow");
        Self { server, history: Registry { store: Store::new(client, index) } }
    }

    /// The server.
    pub fn server(&self) -> &Mlflow {
        &self.server
    }

    /// Points an alias to a version, as [`Registry::promote`]. The rule compares the metrics of the
    /// versions' runs: [`Mlflow::metrics`].
    ///
    /// # Errors
    /// As [`Registry::promote`]; [`ErrorKind::Mlflow`] when the server cannot be asked. After such an
    /// error the move may be in the history and not at the server yet; the next operation on the
    /// alias makes it there.
    pub async fn promote(
        &self,
        model: &str,
        alias: &str,
        to: u32,
        by: &Move,
        terms: &Terms,
    ) -> Result<Promoted, Error> {
        check_promotion(alias, by, terms)?;
        self.server.numbered(model, to).await?;
        self.history.store.prepare().await?;
        for _ in 0..MOST_ATTEMPTS {
            let state = self.state(model, alias).await?;
            check_expected(&state.source, terms.expected, to)?;
            if let Some(newest) = state.source.newest.as_ref().filter(|newest| newest.to == to) {
                return Ok(Promoted::Already(newest.clone()));
            }
            let mut step = state.source.next(new_id(), to, MoveKind::Promotion, by, Timestamp::now());
            step.verdict = self.judge(&state.source, to, terms.rule.as_ref()).await?;
            if let Some(step) = self.make(&state, step).await? {
                return Ok(Promoted::Moved(step));
            }
        }
        Err(too_many_attempts(model, alias))
    }

    /// Points an alias back to the version before, as [`Registry::rollback`].
    ///
    /// # Errors
    /// As [`Registry::rollback`], and as [`MlflowRegistry::promote`].
    pub async fn rollback(&self, model: &str, alias: &str, by: &Move) -> Result<AliasMove, Error> {
        by.check()?;
        self.history.store.prepare().await?;
        let mut seen: Option<AliasMove> = None;
        for _ in 0..MOST_ATTEMPTS {
            let state = self.state(model, alias).await?;
            let Some(newest) = state.source.newest.clone() else { return Err(self.no_alias(model, alias).await?) };
            if seen.get_or_insert_with(|| newest.clone()) != &newest {
                return Err(conflict(&state.source, "this rollback"));
            }
            let to = target(&self.history.moves_until(&newest).await?, &newest)?;
            self.server.numbered(model, to).await?;
            let step = state.source.next(new_id(), to, MoveKind::Rollback, by, Timestamp::now());
            if let Some(step) = self.make(&state, step).await? {
                return Ok(step);
            }
        }
        Err(too_many_attempts(model, alias))
    }

    /// All moves of an alias, the oldest first, as [`Registry::history`]. Moves that were made at the
    /// server before the first operation here are not among them.
    ///
    /// # Errors
    /// As [`Registry::history`]; [`ErrorKind::Mlflow`] when the server cannot be asked.
    pub async fn history(&self, model: &str, alias: &str) -> Result<Vec<AliasMove>, Error> {
        if self.server.alias(model, alias).await?.is_none() {
            return Err(self.no_alias(model, alias).await?);
        }
        self.history.store.prepare().await?;
        match self.state(model, alias).await?.source.newest {
            Some(newest) => self.history.moves_until(&newest).await,
            None => Err(self.no_alias(model, alias).await?),
        }
    }

    /// The move that brought the version which an alias pointed to at a time, as far as the history
    /// knows: [`Registry::live_at`].
    ///
    /// # Errors
    /// As [`MlflowRegistry::history`].
    pub async fn live_at(&self, model: &str, alias: &str, time: Timestamp) -> Result<Option<AliasMove>, Error> {
        let moves = self.history(model, alias).await?;
        Ok(live_at(&moves, time).cloned())
    }

    /// The aliases that have a history here, by model and alias.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn known(&self) -> Result<Vec<(String, String)>, Error> {
        let filter = [json!({"term": {"record": "alias"}})];
        let key = |state: &AliasState| alias_id(&state.model, &state.alias);
        let states = self.history.store.all(&filter, "key", Order::Ascending, key).await?;
        Ok(states.into_iter().map(|state| (state.model, state.alias)).collect())
    }

    /// The document of an alias, after it was brought into line with the server.
    async fn state(&self, model: &str, alias: &str) -> Result<Document<AliasState>, Error> {
        let mut has_waited = false;
        for _ in 0..MOST_ATTEMPTS {
            let state = self.history.open_alias(model, alias).await?;
            if let Some(newest) = state.source.newest.as_ref().filter(|_| state.source.is_pending) {
                info!(model, alias, to = newest.to, "making a pending move at the MLflow server");
                self.finish(state).await?;
                continue;
            }
            let there = self.server.alias(model, alias).await?.map(|version| version.number);
            let Some(to) = there.filter(|there| state.source.version() != Some(*there)) else {
                if let Some(newest) = state.source.newest.as_ref().filter(|_| there.is_none()) {
                    warn!(model, alias, "the alias was removed at the MLflow server, and is set again");
                    self.server.set_alias(model, alias, newest.to).await?;
                }
                return Ok(state);
            };
            // Another process may have set an older version a moment ago, and be about to set the newest.
            if !std::mem::replace(&mut has_waited, true) {
                tokio::time::sleep(SETTLING).await;
                continue;
            }
            // If the document was changed since it was read, this fails, and both are read again.
            let step = state.source.next(new_id(), to, MoveKind::Elsewhere, &Move::by(ELSEWHERE), Timestamp::now());
            match self.history.attempt_at(&state, step, false).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(too_many_attempts(model, alias))
    }

    /// Makes a move in the history, and then at the server. None when the alias was touched.
    async fn make(&self, state: &Document<AliasState>, step: AliasMove) -> Result<Option<AliasMove>, Error> {
        let Some(step) = self.history.attempt_at(state, step, true).await? else { return Ok(None) };
        self.finish(self.history.open_alias(&step.model, &step.alias).await?).await?;
        Ok(Some(step))
    }

    /// Makes the newest move at the server, and notes that in the document. When the document was
    /// changed meanwhile, what was set may be older than what another has set: it is set again.
    async fn finish(&self, mut state: Document<AliasState>) -> Result<(), Error> {
        let (model, alias) = (state.source.model.clone(), state.source.alias.clone());
        let id = alias_id(&model, &alias);
        for _ in 0..MOST_ATTEMPTS {
            let Some(to) = state.source.version() else { return Ok(()) };
            self.server.set_alias(&model, &alias, to).await?;
            let done = AliasState { is_pending: false, touched: state.source.touched + 1, ..state.source.clone() };
            if self.history.store.put(&id, &alias_document(&done), unchanged(&state)).await? {
                return Ok(());
            }
            state = self.history.open_alias(&model, &alias).await?;
        }
        Err(too_many_attempts(&model, &alias))
    }

    async fn judge(
        &self,
        state: &AliasState,
        to: u32,
        rule: Option<&PromotionRule>,
    ) -> Result<Option<RuleVerdict>, Error> {
        let Some(rule) = rule else { return Ok(None) };
        let metrics = async |number| {
            let version = self.server.numbered(&state.model, number).await?;
            self.server.metrics(&version).await
        };
        let candidate = metrics(to).await?;
        let champion = match state.version() {
            Some(number) => Some((number, metrics(number).await?)),
            None => None,
        };
        let champion = champion.as_ref().map(|(number, metrics)| (*number, metrics));
        let verdict = rule.judge_metrics((to, &candidate), champion);
        rule.enforce(verdict, to, &state.alias).map(Some)
    }

    async fn no_alias(&self, model: &str, alias: &str) -> Result<Error, Error> {
        let aliases = self.server.aliases(model).await?;
        let what = format!("aliases of {model}");
        let help = crate::registry::names::those_there(alias, &what, aliases.keys().map(String::as_str));
        Ok(Error::new(ErrorKind::NotFound, format!("the model {model} has no alias {alias}")).with_help(help))
    }
}
