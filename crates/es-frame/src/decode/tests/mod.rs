//! Whole pages, and what is done with broken ones.

mod broken;
mod pages;
mod policies;
mod types;

use es_core::Mapping;
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::{ColumnRequest, DecodeOptions, HitDecoder, HitPage};
use crate::error::Error;

fn mapping(properties: Value) -> Mapping {
    serde_json::from_value(json!({"properties": properties})).unwrap()
}

/// The answer of a server with these hits.
fn answer(hits: &str) -> String {
    format!(r#"{{"pit_id":"p","timed_out":false,"_shards":{{"total":1,"failed":0}},"hits":{{"hits":[{hits}]}}}}"#)
}

/// An answer with one document of this source.
fn document(source: &str) -> String {
    answer(&format!(r#"{{"_index":"i","_id":"d","_source":{source}}}"#))
}

fn options() -> DecodeOptions {
    DecodeOptions {
        version: "9.4.3".parse().ok(),
        retrieval: super::FieldSource::Source,
        columns: ColumnRequest::All,
        ..DecodeOptions::default()
    }
}

/// The page of an answer. Values near its end are read in another way than those before, so it is
/// read with and without space behind it.
fn decode(decoder: &HitDecoder, body: &[u8]) -> Result<HitPage, Error> {
    let (page, longer) = (decoder.decode(body), decoder.decode(&[body, &[b' '; 200]].concat()));
    match (&page, &longer) {
        (Ok(page), Ok(longer)) => {
            assert!(page.frame.equals_missing(&longer.frame), "{} {}", page.frame, longer.frame);
            assert_eq!((&page.last_sort, &page.pit_id), (&longer.last_sort, &longer.pit_id));
        }
        (Err(error), Err(longer)) => assert_eq!(error.kind(), longer.kind(), "{error} {longer}"),
        (page, longer) => panic!("{page:?} {longer:?}"),
    }
    page
}

/// The frame of documents of these sources.
fn frame(properties: Value, options: &DecodeOptions, sources: &[&str]) -> Result<DataFrame, Error> {
    let decoder = HitDecoder::with_options(&mapping(properties), options)?;
    let hits: Vec<String> = sources.iter().map(|source| format!(r#"{{"_id":"d","_source":{source}}}"#)).collect();
    let page = decode(&decoder, answer(&hits.join(",")).as_bytes())?;
    assert_eq!(page.frame.height(), sources.len());
    assert_eq!(page.frame.schema().as_ref(), &decoder.schema());
    Ok(page.frame)
}
