//! Vectors that the generation before has, for texts that have not changed since.
//!
//! A passage carries the checksum of its text. The same version of a model makes the same vector of the same
//! text, so that a text with a vector needs no other, in whatever document it stands now.

use std::collections::HashMap;
use std::sync::Arc;

use es_core::Client;
use es_frame::{ColumnRequest, DecodeOptions, HitDecoder};
use polars::prelude::{DataFrame, DataType, PolarsResult, polars_err};
use serde_json::json;

use super::passages::{TEXT_HASH, VECTOR};
use crate::error::Result;
use crate::kinds::Work;
use crate::kinds::embedding::embed::failed;
use crate::kinds::registered::INPUT;
use crate::store::generation;

/// The vectors that one request looks up, of some kilobytes each.
const LOOKED_UP: usize = 500;

/// Vectors by the checksums of their texts.
pub(super) type Known = HashMap<String, Arc<[f32]>>;

/// The published passages.
pub(super) struct Earlier {
    client: Client,
    index: String,
    decoder: HitDecoder,
}

impl Earlier {
    /// The published passages, if the same version of the model made their vectors.
    pub(super) async fn of(version: &str, work: &Work<'_>) -> Result<Option<Self>> {
        let (client, project) = (work.client, work.project);
        let name = project.pipeline.name();
        let generations = generation::list_asset(client, &project.prefix, name, work.asset).await?;
        let Some(published) = generations.iter().find(|one| one.is_published) else { return Ok(None) };
        let made_by = published.meta.complete.as_ref().and_then(|complete| complete.inputs.get(INPUT));
        let changes = work.fingerprint.changes_since(&published.meta.fingerprint).rebuild;
        if made_by.map(String::as_str) != Some(version) || changes.iter().any(|part| part == "server") {
            return Ok(None);
        }
        let options = DecodeOptions {
            columns: ColumnRequest::Named(vec![TEXT_HASH.to_owned(), VECTOR.to_owned()]),
            version: Some(client.info().version),
            ..DecodeOptions::default()
        };
        let decoder = HitDecoder::with_options(&published.mapping, &options)?;
        Ok(Some(Self { client: client.clone(), index: published.index.clone(), decoder }))
    }

    /// Adds the vectors that there are of texts with these checksums.
    pub(super) async fn find(&self, hashes: &[&str], known: &mut Known) -> Result<()> {
        for hashes in hashes.chunks(LOOKED_UP) {
            let mut body = json!({
                "query": { "terms": { TEXT_HASH: hashes } }, "collapse": { "field": TEXT_HASH },
                "size": hashes.len(), "sort": ["_doc"], "track_total_hits": false,
            });
            self.decoder.ask(&mut body);
            let answer = self.client.search(&self.index, &body).await?;
            let page = self.decoder.decode(answer.body())?;
            add(&page.frame, known).map_err(failed)?;
        }
        Ok(())
    }
}

fn add(found: &DataFrame, known: &mut Known) -> PolarsResult<()> {
    let (hashes, vectors) = (found.column(TEXT_HASH)?.str()?, found.column(VECTOR)?);
    let DataType::Array(_, dims) = *vectors.dtype() else {
        return Err(polars_err!(SchemaMismatch: "the vectors are {}", vectors.dtype()));
    };
    let flat = vectors.array()?.get_inner().strict_cast(&DataType::Float32)?;
    let components: Vec<Option<f32>> = flat.f32()?.iter().collect();
    for (row, hash) in hashes.iter().enumerate() {
        let vector: Option<Vec<f32>> = components[row * dims..(row + 1) * dims].iter().copied().collect();
        if let (Some(hash), Some(vector)) = (hash, vector) {
            known.insert(hash.to_owned(), vector.into());
        }
    }
    Ok(())
}
