//! Retirement of versions.
//!
//! A retired version must not become that of an alias, and an alias' version must not be retired,
//! also when both are attempted at once and when either process is killed. So a retirement
//!
//! 1. is noted in the version as begun, which refuses promotions that read the version from then on;
//! 2. touches the document of each alias of the model that does not point to the version, which fails
//!    promotions that read the alias before, by compare-and-set; or is taken back if one does;
//! 3. is noted as complete.
//!
//! A promotion reads the alias first and the version second. If it saw the version before step 1, it
//! read the alias before step 2, so either its move came before the touch, which then finds it, or it
//! fails, reads again and is refused. An alias has a document before its first move, so step 2 finds
//! that as well.

use es_core::Document;
use jiff::Timestamp;
use tracing::info;

use super::Registry;
use super::alias::{AliasMove, AliasState, Move};
use super::store::{VersionBody, alias_document, alias_id, unchanged, version_document, version_id};
use super::version::{Retirement, Version};
use crate::error::{Error, ErrorKind};

/// Attempts to touch an alias that others move at the same time.
const MOST_ATTEMPTS: usize = 100;

impl Registry {
    /// Retires a version: no alias can be pointed to it any more. One that is retired already stays so.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when an alias points to it; [`ErrorKind::Conflict`] when somebody else
    /// changes it at the same time; [`ErrorKind::NotFound`] when there is no such model or version;
    /// [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn retire(&self, model: &str, number: u32, by: &Move) -> Result<Version, Error> {
        by.check()?;
        let version = self.numbered(model, number).await?;
        if version.is_retired() {
            return Ok(version);
        }
        self.store.prepare().await?;
        let begun = Retirement {
            id: uuid::Uuid::now_v7().to_string(),
            by: by.by.clone(),
            why: by.why.clone(),
            at: Timestamp::now(),
            is_complete: false,
        };
        self.note(model, number, |_| Ok(Some(begun.clone()))).await?;
        if let Some(step) = self.touch_aliases(model, number).await? {
            self.note(model, number, |now| Ok(now.filter(|now| now.id != begun.id).cloned())).await?;
            let message = format!("version {number} of {model} is in use: {step}");
            return Err(Error::new(ErrorKind::Refused, message).with_help(format!(
                "promote another version to {}, or roll it back, and retire {number} then",
                step.alias
            )));
        }
        let complete = Retirement { is_complete: true, ..begun.clone() };
        let version = self
            .note(model, number, |now| match now {
                Some(now) if now.id == begun.id => Ok(Some(complete.clone())),
                now => Err(changed(model, number, now)),
            })
            .await?;
        info!(model, version = number, by = by.by, "retired a version");
        Ok(version)
    }

    /// Takes back the retirement of a version, also one that was begun and never finished. One that is
    /// not retired stays so.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model or version; [`ErrorKind::Conflict`] when
    /// somebody else changes it at the same time; [`ErrorKind::Elasticsearch`] when it cannot be asked.
    pub async fn unretire(&self, model: &str, number: u32) -> Result<Version, Error> {
        let version = self.numbered(model, number).await?;
        if version.retirement.is_none() {
            return Ok(version);
        }
        self.store.prepare().await?;
        let version = self.note(model, number, |_| Ok(None)).await?;
        info!(model, version = number, "unretired a version");
        Ok(version)
    }

    /// Replaces the retirement of a version by what `next` makes of it, by compare-and-set.
    async fn note(
        &self,
        model: &str,
        number: u32,
        next: impl Fn(Option<&Retirement>) -> Result<Option<Retirement>, Error>,
    ) -> Result<Version, Error> {
        let id = version_id(model, number);
        for _ in 0..MOST_ATTEMPTS {
            let mut found: Document<VersionBody> = self.store.get_conflicting(&id).await?;
            let wanted = next(found.source.version.retirement.as_ref())?;
            if found.source.version.retirement == wanted {
                return Ok(found.source.version);
            }
            let precondition = unchanged(&found);
            found.source.version.retirement = wanted;
            if self.store.put(&id, &version_document(&found.source), precondition).await? {
                return Ok(found.source.version);
            }
        }
        Err(changed(model, number, None))
    }

    /// Touches all aliases of a model, unless one points to the version; that is returned.
    async fn touch_aliases(&self, model: &str, number: u32) -> Result<Option<AliasMove>, Error> {
        // Aliases that were created before are among those that a search finds from here on.
        self.store.client.indices().refresh(&self.store.index).await?;
        for state in self.alias_states(Some(model)).await? {
            if let Some(step) = self.touch(&state, number).await? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    async fn touch(&self, state: &AliasState, number: u32) -> Result<Option<AliasMove>, Error> {
        let id = alias_id(&state.model, &state.alias);
        for _ in 0..MOST_ATTEMPTS {
            let found: Document<AliasState> = self.store.get_conflicting(&id).await?;
            if let Some(newest) = found.source.newest.as_ref().filter(|newest| newest.to == number) {
                return Ok(Some(newest.clone()));
            }
            let precondition = unchanged(&found);
            let touched = AliasState { touched: found.source.touched + 1, ..found.source };
            if self.store.put(&id, &alias_document(&touched), precondition).await? {
                return Ok(None);
            }
        }
        let message = format!("{}@{} was moved {MOST_ATTEMPTS} times during one retirement", state.model, state.alias);
        Err(Error::new(ErrorKind::Conflict, message).with_help("try again when it is no longer being moved"))
    }
}

fn changed(model: &str, number: u32, now: Option<&Retirement>) -> Error {
    let message = match now {
        Some(now) => format!("{} retires version {number} of {model} at the same time", now.by),
        None => format!("the retirement of version {number} of {model} was taken back at the same time"),
    };
    Error::new(ErrorKind::Conflict, message).with_help("look at the version, and decide again")
}
