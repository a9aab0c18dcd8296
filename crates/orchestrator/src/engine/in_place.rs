//! Work on what is published already: settings changed in place, checks run again, a part taken away
//! from readers.

use es_assets::{Effect, effect};
use serde_json::{Map, Value, json};

use super::step::Subject;
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::index::{self, IndexSpec};
use crate::kinds::{Built, Outcome, checks};
use crate::store::generation::{self, Generation, GenerationMeta};
use crate::store::lease::HeldLease;
use crate::terminal::table::counted;

impl Subject<'_> {
    /// The published generation of the part, as it is now.
    async fn live(&self, lease: &HeldLease) -> Result<Generation> {
        let (client, prefix) = (self.context.engine.client(), &self.context.engine.project().prefix);
        let of_part = generation::list_part(client, prefix, &self.meta(lease)).await?;
        of_part.into_iter().find(|generation| generation.is_published).ok_or_else(|| {
            Error::failed(format!("{} is no longer published", self.part())).with_help(Some("run again to rebuild it"))
        })
    }

    /// Notes that a generation fulfils those parts of its definition, as it now is, whose change has
    /// the given effect. Other changes are still to be done.
    async fn fulfil(&self, generation: &Generation, done: Effect) -> Result<()> {
        let before = generation.meta.fingerprint.parts().filter(|(part, _)| effect(part) != done);
        let parts: Map<String, Value> = before
            .chain(self.fingerprint.parts().filter(|(part, _)| effect(part) == done))
            .map(|(part, hash)| (part.to_owned(), json!(hash)))
            .collect();
        let fingerprint = serde_json::from_value(Value::Object(parts))
            .map_err(|error| Error::new(ErrorKind::Defect, format!("the definition cannot be noted: {error}")))?;
        let meta = GenerationMeta { fingerprint, ..generation.meta.clone() };
        generation::complete(self.context.engine.client(), &generation.index, &meta).await
    }

    /// Changes settings of the published index.
    pub(super) async fn update_in_place(&self, lease: &HeldLease, names: &[String]) -> Result<Built> {
        let generation = self.live(lease).await?;
        let wanted = self.kind.index_spec(self.asset).map(IndexSpec::flat_settings).unwrap_or_default();
        // A setting that is no longer given goes back to its default.
        let changed: Map<String, Value> =
            names.iter().map(|name| (name.clone(), wanted.get(name).cloned().unwrap_or(Value::Null))).collect();
        lease.check().await?;
        self.context.engine.client().indices().put_settings(&generation.index, &changed).await?;
        self.fulfil(&generation, Effect::InPlace).await?;
        Ok(Built {
            detail: format!("{} set on {}", names.join(", "), generation.index),
            summary: json!({"index": generation.index, "settings": changed}),
            outcome: unchanged(&generation),
            ..Built::default()
        })
    }

    /// Runs the checks against the published index.
    pub(super) async fn recheck(&self, lease: &HeldLease) -> Result<Built> {
        let generation = self.live(lease).await?;
        let (client, wanted) = (self.context.engine.client(), self.kind.checks(self.asset));
        let warnings = checks::enforce(client, &generation.index, &self.kind.id(self.asset), wanted).await?;
        self.fulfil(&generation, Effect::Recheck).await?;
        Ok(Built {
            detail: format!("{} passed", counted((wanted.len() - warnings.len()) as u64, "check")),
            summary: json!({"index": generation.index, "checks": wanted.len(), "warnings": warnings}),
            outcome: unchanged(&generation),
            warnings,
            ..Built::default()
        })
    }

    /// Takes the published index of a part that is no longer wanted away from readers.
    pub(super) async fn retire(&self, lease: &HeldLease) -> Result<Built> {
        let generation = self.live(lease).await?;
        let (client, prefix) = (self.context.engine.client(), &self.context.engine.project().prefix);
        lease.check().await?;
        generation::retire(client, prefix, &generation).await?;
        self.note_published(None);
        let of_part = generation::list_part(client, prefix, &generation.meta).await?;
        let keep = self.context.engine.project().kept_generations();
        generation::clean_up(client, &of_part, keep, |_| false).await?;
        index::remove_pipelines(client, prefix, &of_part).await;
        Ok(Built {
            detail: format!("readers no longer see {}", generation.index),
            summary: json!({"index": generation.index}),
            outcome: unchanged(&generation),
            ..Built::default()
        })
    }
}

/// The outcome of work that leaves the content as it was.
fn unchanged(generation: &Generation) -> Outcome {
    match generation.published() {
        Some(published) => Outcome::Published(Box::new(published)),
        None => Outcome::Evaluated,
    }
}
