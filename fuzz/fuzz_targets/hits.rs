//! The answer to a search comes from a server of any version, or from something before it: any bytes
//! are rows or an error, and bytes that are JSON are never fewer rows than they have hits. Space at
//! the end changes nothing.
#![no_main]

use std::sync::LazyLock;

use es_core::Mapping;
use es_frame::{CellPolicy, DecodeOptions, FieldSource, HitDecoder, Malformed, Values};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static DECODERS: LazyLock<Vec<HitDecoder>> = LazyLock::new(|| {
    let mapping: Mapping = serde_json::from_value(json!({"properties": {
        "k": {"type": "keyword"}, "n": {"type": "integer"}, "u": {"type": "unsigned_long"}, "f": {"type": "float"},
        "d": {"type": "double"}, "b": {"type": "boolean"}, "t": {"type": "date"}, "i": {"type": "ip"},
        "w": {"type": "date_nanos", "format": "yyyy-MM-dd HH:mm:ss.SSS[ Z]||week_date||epoch_second"},
        "g": {"type": "geo_point"}, "v": {"type": "dense_vector", "dims": 2}, "r": {"type": "ip_range"},
        "j": {"type": "join"}, "l": {"type": "flattened"}, "x": {"type": "binary"}, "s": {"type": "geo_shape"},
        "p": {"type": "nested", "properties": {"a": {"type": "long"}, "k": {"type": "text"}}},
        "o": {"properties": {"a": {"type": "byte"}}}
    }}))
    .expect("a mapping");
    // What doc values do not have is left out of the mapping that they are read by.
    let mut with_doc_values = mapping.clone();
    with_doc_values.properties.retain(|name, _| !["v", "r", "j", "l", "x", "s", "p"].contains(&name.as_str()));
    let retrievals = [(FieldSource::Source, &mapping), (FieldSource::DocValues, &with_doc_values)];
    let policies = [Values::One, Values::List, Values::First, Values::Last].into_iter().flat_map(|values| {
        [Malformed::Error, Malformed::Null].map(|malformed| CellPolicy { values: Some(values), malformed: Some(malformed), missing: None })
    });
    let decoders = policies.flat_map(|policy| {
        retrievals.map(|(retrieval, mapping)| {
            let version = "9.4.3".parse().ok();
            let options = DecodeOptions { policy, version, retrieval, ..DecodeOptions::default() };
            HitDecoder::with_options(mapping, &options).expect("a plan")
        })
    });
    decoders.collect()
});

fuzz_target!(|body: &[u8]| {
    let hits =
        serde_json::from_slice::<Value>(body).ok().and_then(|value| Some(value["hits"]["hits"].as_array()?.len()));
    // Values near the end of an answer are read in another way than those before.
    let longer = [body, &[b' '; 200]].concat();
    for decoder in DECODERS.iter() {
        let page = decoder.decode(body);
        match (&page, decoder.decode(&longer)) {
            (Ok(page), Ok(longer)) => assert!(page.frame.equals_missing(&longer.frame)),
            (page, longer) => assert_eq!(page.is_ok(), longer.is_ok()),
        }
        if let Ok(page) = page {
            assert_eq!(page.frame.schema().as_ref(), &decoder.schema());
            // A name that is there twice has its last value to `serde_json`.
            if let Some(hits) = hits {
                assert!(page.frame.height() >= hits || body.windows(6).filter(|name| name == b"\"hits\"").count() > 2);
            }
        }
    }
});
