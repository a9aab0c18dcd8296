//! Predictions that the generation before has, for rows whose inputs have not changed since.
//!
//! A prediction carries a hash of what the model was given. The same version gives the same answer to the
//! same inputs, so that a row with the id and the hash of an earlier prediction needs no other.

use std::collections::HashMap;

use es_core::{Client, Mapping};
use es_frame::{ColumnRequest, DecodeOptions, DocumentWriter, HitDecoder};
use es_serving::open_inference::{Tensor, TensorData};
use polars::prelude::{Column, DataFrame, IdxSize, PlSmallStr, PolarsResult, Schema};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use super::definition::{Inference, Rescore};
use super::model::Chosen;
use super::page::Page;
use super::score::unscorable;
use crate::error::Result;
use crate::kinds::Work;
use crate::kinds::registered::INPUT;
use crate::store::generation::{self, Generation};

/// The field of a prediction with the hash of what the model was given.
pub(super) const INPUTS_HASH: &str = "inputs_hash";

/// The predictions that one request looks up, below the 10,000 hits that a search may return.
const LOOKED_UP: usize = 5_000;

/// Returns a hash of the inputs of each row.
pub(super) fn row_hashes(tensors: &[Tensor]) -> Vec<i64> {
    let rows = tensors.first().and_then(|tensor| tensor.shape().first().copied()).unwrap_or(0);
    let mut bytes = Vec::new();
    let hash = |row| {
        bytes.clear();
        tensors.iter().for_each(|tensor| push_row(tensor, row, rows, &mut bytes));
        xxh3_64(&bytes).cast_signed()
    };
    (0..rows).map(hash).collect()
}

fn push_row(tensor: &Tensor, row: usize, rows: usize, bytes: &mut Vec<u8>) {
    fn push<T: Copy, const N: usize>(elements: &[T], bytes: &mut Vec<u8>, to_bytes: fn(T) -> [u8; N]) {
        elements.iter().for_each(|element| bytes.extend_from_slice(&to_bytes(*element)));
    }
    let width = tensor.data().len() / rows;
    let of_row = row * width..(row + 1) * width;
    match tensor.data() {
        TensorData::Bool(elements) => push(&elements[of_row], bytes, |element| [u8::from(element)]),
        TensorData::Uint8(elements) => push(&elements[of_row], bytes, u8::to_le_bytes),
        TensorData::Uint16(elements) => push(&elements[of_row], bytes, u16::to_le_bytes),
        TensorData::Uint32(elements) => push(&elements[of_row], bytes, u32::to_le_bytes),
        TensorData::Uint64(elements) => push(&elements[of_row], bytes, u64::to_le_bytes),
        TensorData::Int8(elements) => push(&elements[of_row], bytes, i8::to_le_bytes),
        TensorData::Int16(elements) => push(&elements[of_row], bytes, i16::to_le_bytes),
        TensorData::Int32(elements) => push(&elements[of_row], bytes, i32::to_le_bytes),
        TensorData::Int64(elements) => push(&elements[of_row], bytes, i64::to_le_bytes),
        TensorData::Fp32(elements) => push(&elements[of_row], bytes, f32::to_le_bytes),
        TensorData::Fp64(elements) => push(&elements[of_row], bytes, f64::to_le_bytes),
        TensorData::Bytes(elements) => {
            for element in &elements[of_row] {
                bytes.extend_from_slice(&(element.len() as u64).to_le_bytes());
                bytes.extend_from_slice(element.as_bytes());
            }
        }
    }
}

/// Returns the ids of the rows of a frame; none of a row that has no id.
pub(super) fn ids(frame: &DataFrame, id: &[String]) -> Result<Vec<Option<String>>> {
    let mut columns = frame.select(id).map_err(unscorable)?;
    columns.rechunk_mut();
    let writer = DocumentWriter::new(&columns, id)?;
    let mut text = Vec::new();
    let id = |row| {
        text.clear();
        writer.write_id(row, &mut text).ok()?;
        serde_json::from_slice(&text).ok()
    };
    Ok((0..columns.height()).map(id).collect())
}

/// The published predictions of a part.
pub(super) struct Earlier {
    client: Client,
    index: String,
    decoder: HitDecoder,
    id: Vec<String>,
}

impl Earlier {
    /// The published predictions of the part that the work is about, if the same version of the model made
    /// them and they have the fields of `answers`.
    pub(super) async fn of(
        inference: &Inference,
        chosen: &Chosen,
        answers: &Schema,
        work: &Work<'_>,
    ) -> Result<Option<Self>> {
        if inference.rescore == Rescore::All {
            return Ok(None);
        }
        let (client, project) = (work.client, work.project);
        let name = project.pipeline.name();
        let generations = generation::list_asset(client, &project.prefix, name, work.asset).await?;
        let of_part = |one: &&Generation| one.is_published && one.meta.partition.as_ref() == work.partition;
        let Some(published) = generations.iter().find(of_part) else { return Ok(None) };
        let changes = work.fingerprint.changes_since(&published.meta.fingerprint).rebuild;
        if !is_of(published, chosen) || changes.iter().any(|part| part == "outputs") {
            return Ok(None);
        }
        let fields: Vec<&str> = [INPUTS_HASH].into_iter().chain(answers.iter_names().map(PlSmallStr::as_str)).collect();
        if fields.iter().any(|field| published.mapping.field(field).is_none()) {
            return Ok(None);
        }
        let columns = ["_id"].into_iter().chain(fields).map(str::to_owned).collect();
        let options = DecodeOptions {
            columns: ColumnRequest::Named(columns),
            version: Some(client.info().version),
            ..DecodeOptions::default()
        };
        let decoder = HitDecoder::with_options(&published.mapping, &options)?;
        Ok(Some(Self {
            client: client.clone(),
            index: published.index.clone(),
            decoder,
            id: inference.write.id.clone(),
        }))
    }

    /// Gives the rows of a page whose id and inputs an earlier prediction has that prediction, and returns their
    /// number.
    pub(super) async fn answer(&self, page: &mut Page) -> Result<u64> {
        let ids = ids(&page.joined, &self.id)?;
        let mut found = self.decoder.empty_frame();
        let asked: Vec<&String> = ids.iter().flatten().collect();
        for ids in asked.chunks(LOOKED_UP) {
            let mut body = json!({
                "query": { "ids": { "values": ids } }, "size": ids.len(), "sort": ["_doc"],
                "track_total_hits": false,
            });
            self.decoder.ask(&mut body);
            let answer = self.client.search(&self.index, &body).await?;
            found.vstack_mut(&self.decoder.decode(answer.body())?.frame).map_err(unscorable)?;
        }
        let places = places(&found, &ids, &page.joined).map_err(unscorable)?;
        let answered = places.iter().flatten().count() as u64;
        if answered > 0 {
            page.answer(found, places);
        }
        Ok(answered)
    }
}

/// Returns whether the chosen version made a generation.
pub(super) fn is_of(generation: &Generation, chosen: &Chosen) -> bool {
    let complete = generation.meta.complete.as_ref();
    complete.is_some_and(|complete| complete.inputs.get(INPUT) == Some(&chosen.version()))
}

/// Returns of each row the row of `found` that has its id and its hash.
fn places(found: &DataFrame, ids: &[Option<String>], rows: &DataFrame) -> PolarsResult<Vec<Option<IdxSize>>> {
    let (found_ids, found_hashes) = (found.column("_id")?.str()?, found.column(INPUTS_HASH)?.i64()?);
    let numbered = found_ids.iter().zip(found_hashes.iter()).zip(0..);
    let known: HashMap<&str, (Option<i64>, IdxSize)> =
        numbered.filter_map(|((id, hash), row)| Some((id?, (hash, row)))).collect();
    let place = |(id, hash): (&Option<String>, Option<i64>)| {
        let (earlier, row) = known.get(id.as_deref()?)?;
        (*earlier == hash).then_some(*row)
    };
    Ok(ids.iter().zip(rows.column(INPUTS_HASH)?.i64()?.iter()).map(place).collect())
}

/// The mapping of the hash, which nobody searches for.
pub(super) fn mapping() -> Mapping {
    let hash = json!({ "type": "long", "index": false });
    Mapping::new([(INPUTS_HASH.to_owned(), hash)].into_iter().collect())
}

/// The hashes as a column.
pub(super) fn column(hashes: Vec<i64>) -> Column {
    Column::new(INPUTS_HASH.into(), hashes)
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    fn tensor(name: &str, shape: &[usize], data: TensorData) -> Tensor {
        Tensor::new(name, shape.to_vec(), data).unwrap()
    }

    #[test]
    fn a_hash_depends_on_every_input_of_its_row_alone() {
        let of = |numbers: [f32; 4], texts: [&str; 4]| {
            row_hashes(&[
                tensor("n", &[2, 2], TensorData::Fp32(numbers.to_vec())),
                tensor("t", &[2, 2], TensorData::Bytes(texts.map(str::to_owned).to_vec())),
            ])
        };
        let first = of([1.0, 2.0, 3.0, f32::NAN], ["a", "b", "c", "d"]);
        assert_eq!(first, of([1.0, 2.0, 3.0, f32::NAN], ["a", "b", "c", "d"]));
        let other = of([1.0, 2.0, 3.0, 0.0], ["ab", "", "c", "d"]);
        assert!(first[0] != other[0] && first[1] != other[1], "{first:?} {other:?}");
        assert_eq!(of([1.0, 2.0, 9.0, 9.0], ["a", "b", "", ""])[0], first[0]);
    }

    #[test]
    fn only_a_prediction_of_the_same_id_and_hash_is_kept() {
        let found = df!("_id" => ["b", "a", "c"], INPUTS_HASH => [Some(2_i64), Some(1), None]).unwrap();
        let ids = [Some("a"), Some("b"), Some("c"), None, Some("z")].map(|id| id.map(str::to_owned));
        let rows = df!(INPUTS_HASH => [1_i64, 7, 3, 4, 5]).unwrap();
        assert_eq!(places(&found, &ids, &rows).unwrap(), [Some(1), None, None, None, None]);
    }
}
