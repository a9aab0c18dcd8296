//! Passages of a page of documents, and the documents that they become. Nothing here waits or reads.

use std::sync::Arc;

use es_bulk::RefusedRow;
use es_core::Mapping;
use es_frame::infer_mapping;
use es_serving::embedding::{Chunker, Passage};
use es_serving::registry::Checksum;
use jiff::Timestamp;
use polars::prelude::{
    AnyValue, Column, DataFrame, DataType, IdxCa, IdxSize, IntoColumn as _, NamedFrom as _, PlSmallStr, PolarsResult,
    ReshapeDimension, Scalar, Schema, Series, TimeUnit, TimeZone,
};
use serde_json::{Map, Value, json};

use super::definition::{Embedding, Similarity};
use super::template::TextSource;
use crate::error::Result;

/// The fields of a passage.
pub(super) const PARENT: &str = "parent";
pub(super) const PASSAGE: &str = "passage";
pub(super) const TEXT: &str = "text";
pub(super) const VECTOR: &str = "vector";
pub(super) const TEXT_HASH: &str = "text_hash";
const START: &str = "start";
const END: &str = "end";
const MODEL: &str = "model";
const MODEL_VERSION: &str = "model_version";
const RUN: &str = "run";
const EMBEDDED_AT: &str = "embedded_at";

/// The id of a passage: that of its document, and its number there.
pub(super) const ID: [&str; 2] = [PARENT, PASSAGE];

/// Returns the first of the columns that has the name of a field of a passage.
pub(super) fn own_field<'a>(columns: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const OWN: [&str; 11] =
        [PARENT, PASSAGE, START, END, TEXT, VECTOR, TEXT_HASH, MODEL, MODEL_VERSION, RUN, EMBEDDED_AT];
    columns.into_iter().find(|column| OWN.contains(column))
}

/// The passages of a page of documents.
pub(super) struct Passages {
    /// The columns of the documents that their passages have as well.
    kept: DataFrame,
    /// The passages, in the order of the documents.
    pub(super) of: Vec<OnePassage>,
    /// Documents that cannot be divided.
    pub(super) refused: Vec<RefusedRow>,
    /// The documents without a text.
    pub(super) without_text: u64,
}

/// A passage on its way to a vector.
pub(super) struct OnePassage {
    /// The row of its document.
    row: IdxSize,
    /// Its number on the page, from 1, of passages and documents that cannot be divided.
    pub(super) number: u64,
    parent: Arc<str>,
    pub(super) passage: Passage,
    /// The checksum of its text.
    pub(super) hash: String,
}

impl OnePassage {
    /// The passage in words, for the dead letter.
    pub(super) fn describe(&self) -> String {
        format!("{} passage {}: {}", self.parent, self.passage.ordinal, self.passage.text)
    }
}

impl Passages {
    /// Divides the texts of documents.
    pub(super) fn of(
        documents: &DataFrame,
        text: &TextSource,
        kept: &[PlSmallStr],
        chunker: &Chunker,
    ) -> PolarsResult<Self> {
        let parents = documents.column("_id")?.str()?.clone();
        let (mut of, mut refused, mut without_text, mut number) = (Vec::new(), Vec::new(), 0, 0);
        for (row, text) in text.texts(documents)?.into_iter().enumerate() {
            let parent: Arc<str> = parents.get(row).unwrap_or_default().into();
            let passages = match chunker.split(text.as_deref().unwrap_or_default()) {
                Ok(passages) => passages,
                Err(error) => {
                    number += 1;
                    refused.push(RefusedRow { row: number, text: parent.to_string(), reason: error.to_string() });
                    continue;
                }
            };
            without_text += u64::from(passages.is_empty());
            let one = |passage: Passage| {
                let hash = Checksum::of(passage.text.as_bytes()).to_string();
                number += 1;
                OnePassage { row: row as IdxSize, number, parent: parent.clone(), passage, hash }
            };
            of.extend(passages.into_iter().map(one));
        }
        let kept = documents.select(kept.iter().cloned())?;
        Ok(Self { kept, of, refused, without_text })
    }

    /// The documents of the passages that have a vector, with these.
    pub(super) fn documents(
        &self,
        vectors: &[Option<Arc<[f32]>>],
        dims: usize,
        origin: &Origin,
    ) -> PolarsResult<DataFrame> {
        let passages = self.of.iter().zip(vectors);
        let embedded: Vec<(&OnePassage, &Arc<[f32]>)> =
            passages.filter_map(|(passage, vector)| Some((passage, vector.as_ref()?))).collect();
        let rows = embedded.len();
        let texts = |name: &str, text: fn(&OnePassage) -> &str| {
            let texts: Vec<&str> = embedded.iter().map(|(one, _)| text(one)).collect();
            Series::new(name.into(), texts).into_column()
        };
        let numbers = |name: &str, number: fn(&Passage) -> usize| {
            let numbers: Vec<i32> =
                embedded.iter().map(|(one, _)| i32::try_from(number(&one.passage)).unwrap_or(i32::MAX)).collect();
            Series::new(name.into(), numbers).into_column()
        };
        let of_rows = IdxCa::from_vec(PlSmallStr::EMPTY, embedded.iter().map(|(one, _)| one.row).collect());
        let mut columns = vec![
            texts(PARENT, |one| &one.parent),
            numbers(PASSAGE, |passage| passage.ordinal),
            numbers(START, |passage| passage.start),
            numbers(END, |passage| passage.end),
        ];
        columns.extend(self.kept.take(&of_rows)?.into_columns());
        columns.push(texts(TEXT, |one| &one.passage.text));
        columns.push(texts(TEXT_HASH, |one| &one.hash));
        let components: Vec<f32> = embedded.iter().flat_map(|(_, vector)| vector.iter().copied()).collect();
        let dimensions = [ReshapeDimension::new(rows as i64), ReshapeDimension::new(dims as i64)];
        columns.push(match rows {
            0 => Column::new_empty(VECTOR.into(), &vector_type(dims)),
            _ => Series::new(VECTOR.into(), components).reshape_array(&dimensions)?.into_column(),
        });
        columns.extend(origin.columns(rows));
        DataFrame::new(rows, columns)
    }
}

/// The origin of vectors.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) model: String,
    /// The number of a registered version.
    pub(super) version: Option<i32>,
    pub(super) run: String,
    pub(super) at: Timestamp,
}

impl Origin {
    fn columns(&self, rows: usize) -> Vec<Column> {
        let text = |name: &str, value: &str| Column::new_scalar(name.into(), PlSmallStr::from_str(value).into(), rows);
        let instant = AnyValue::Datetime(self.at.as_millisecond(), TimeUnit::Milliseconds, Some(&TimeZone::UTC));
        let instant = Scalar::new(instant_type(), instant.into_static());
        let mut columns = vec![text(MODEL, &self.model)];
        columns.extend(self.version.map(|version| Column::new_scalar(MODEL_VERSION.into(), version.into(), rows)));
        columns.push(text(RUN, &self.run));
        columns.push(Column::new_scalar(EMBEDDED_AT.into(), instant, rows));
        columns
    }
}

fn instant_type() -> DataType {
    DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))
}

fn vector_type(dims: usize) -> DataType {
    DataType::Array(Box::new(DataType::Float32), dims)
}

/// The mapping of passages. `kept` are the columns of documents that they have, with their types in Elasticsearch.
pub(super) fn mapping(
    embedding: &Embedding,
    kept: &Schema,
    types: &[(String, String)],
    dims: usize,
    similarity: Similarity,
) -> Result<Mapping> {
    let mut schema = kept.clone();
    for (name, dtype) in [
        (PARENT, DataType::String),
        (PASSAGE, DataType::Int32),
        (START, DataType::Int32),
        (END, DataType::Int32),
        (TEXT_HASH, DataType::String),
        (MODEL, DataType::String),
        (MODEL_VERSION, DataType::Int32),
        (RUN, DataType::String),
        (EMBEDDED_AT, instant_type()),
    ] {
        schema.insert(name.into(), dtype);
    }
    let mut own: Map<String, Value> = Map::new();
    for (name, _) in types.iter().filter(|(name, kind)| kind == "text" && kept.contains(name)) {
        own.insert(name.clone(), json!({ "type": "text" }));
    }
    own.insert(TEXT.to_owned(), json!({ "type": "text" }));
    let similarity = embedding.vector.similarity.unwrap_or(similarity);
    let mut vector = json!({
        "type": "dense_vector", "dims": dims, "index": true, "similarity": similarity.name(),
    });
    if !embedding.vector.index_options.is_empty() {
        vector["index_options"] = Value::Object(embedding.vector.index_options.clone());
    }
    own.insert(VECTOR.to_owned(), vector);
    let inferred = infer_mapping(&schema)?;
    Ok(inferred.overridden_by(&Mapping::new(own.into_iter().collect())))
}

#[cfg(test)]
mod tests {
    use es_serving::embedding::Chunking;
    use polars::prelude::df;

    use super::*;

    #[test]
    fn a_document_becomes_its_passages_that_have_a_vector() {
        let documents = df!(
            "_id" => ["a", "b", "c"],
            "body" => [Some("One. Two. Three."), None, Some("Four.")],
            "year" => [2001, 2002, 2003],
        )
        .unwrap();
        let chunking: Chunking = serde_json::from_value(json!({ "by": "sentences", "size": 2 })).unwrap();
        let chunker = Chunker::new(chunking, None).unwrap();
        let text = TextSource::Fields(vec!["body".to_owned()]);
        let passages = Passages::of(&documents, &text, &["year".into()], &chunker).unwrap();
        assert_eq!((passages.of.len(), passages.without_text), (3, 1));
        let vector = |number: f32| Some(Arc::from([number, 0.5]));
        let origin = Origin { model: "m".to_owned(), version: Some(2), run: "r".to_owned(), at: Timestamp::UNIX_EPOCH };
        let made = passages.documents(&[vector(1.0), None, vector(3.0)], 2, &origin).unwrap();
        let expected = df!(
            "parent" => ["a", "c"], "passage" => [0, 0], "start" => [0, 0], "end" => [9, 5], "year" => [2001, 2003],
            "text" => ["One. Two.", "Four."],
        )
        .unwrap();
        assert_eq!(made.select(expected.get_column_names_owned()).unwrap(), expected);
        assert_eq!(made.column("text_hash").unwrap().str().unwrap().get(1), Some(passages.of[2].hash.as_str()));
        let flat = made.column("vector").unwrap().array().unwrap().get_inner();
        assert_eq!(flat.f32().unwrap().to_vec(), [Some(1.0), Some(0.5), Some(3.0), Some(0.5)]);
        assert_eq!(made.column("model_version").unwrap().i32().unwrap().to_vec(), [Some(2), Some(2)]);
        let none = passages.documents(&[None, None, None], 2, &origin).unwrap();
        assert_eq!((none.height(), none.schema()), (0, made.schema()));
    }

    #[test]
    fn columns_called_like_a_field_of_passages_are_found() {
        assert_eq!(own_field(["title", "text"]), Some("text"));
        assert_eq!(own_field(["title", "body"]), None);
    }
}
