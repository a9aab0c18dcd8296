//! Fingerprints that decide whether an export that was killed can be resumed. They depend on the
//! serialized form of the values, which is the same in every build, and on nothing else.

use es_core::{Client, Mapping};
use es_frame::ColumnRequest;
use polars::prelude::{DataType, Schema};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::request::{EsqlFormat, ReadFrom, ReadRequest, Search};

/// The fingerprint of a value.
pub(crate) fn of(value: &Value) -> String {
    format!("{:032x}", xxh3_128(value.to_string().as_bytes()))
}

/// The fingerprint of a mapping.
pub(crate) fn of_mapping(mapping: &Mapping) -> String {
    of(&json!({"properties": mapping.properties, "parameters": mapping.parameters}))
}

/// The fingerprint of columns and of the types that they come from.
pub(crate) fn of_columns(schema: &Schema, types: &[(String, String)]) -> String {
    let columns: Vec<Value> = schema.iter().map(|(name, dtype)| json!([name.as_str(), type_name(dtype)])).collect();
    of(&json!([columns, types]))
}

/// The fingerprint of a search in a cluster. The limits of reading are not part of it, as they do
/// not change the rows.
pub(crate) fn of_search(client: &Client, search: &Search) -> String {
    of(&json!([client.info().cluster_uuid, search_value(search)]))
}

/// A request as a value: all that decides on the rows, and the limits of reading.
pub(crate) fn request_value(request: &ReadRequest) -> Value {
    let from = match &request.from {
        ReadFrom::Search(search) => json!({"search": search_value(search)}),
        ReadFrom::Esql(esql) => {
            let is_json = esql.format == EsqlFormat::Json;
            json!({"esql": esql.query, "params": esql.params, "filter": esql.filter, "json": is_json})
        }
        ReadFrom::Sql(sql) => {
            json!({"sql": sql.query, "params": sql.params, "filter": sql.filter, "time_zone": sql.time_zone})
        }
    };
    json!({"from": from, "options": request.options})
}

fn search_value(search: &Search) -> Value {
    let Search { index, query, columns, runtime, sort, limit, sample, through, source, policy, policies } = search;
    let columns = match columns {
        ColumnRequest::All => Value::Null,
        ColumnRequest::Named(names) => json!(names),
    };
    json!({
        "index": index, "query": query, "columns": columns, "runtime": runtime, "sort": sort, "limit": limit,
        "sample": sample, "through": through, "source": source, "policy": policy, "policies": policies,
    })
}

/// The name of a type with all of its parts.
fn type_name(dtype: &DataType) -> String {
    match dtype {
        DataType::List(inner) => format!("list[{}]", type_name(inner)),
        DataType::Array(inner, width) => format!("array[{}, {width}]", type_name(inner)),
        DataType::Struct(fields) => {
            let field = |field: &polars::prelude::Field| format!("{}: {}", field.name(), type_name(field.dtype()));
            format!("struct[{}]", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Field, TimeUnit, TimeZone};

    use super::*;
    use crate::read::{Sample, Through};

    #[test]
    fn a_fingerprint_is_the_same_in_every_build() {
        let search = Search { limit: Some(7), ..Search::new("flights") };
        let expected = r#"{"from":{"search":{"index":"flights","query":{"match_all":{}},"columns":null,"runtime":{},"#
            .to_owned()
            + r#""sort":[],"limit":7,"sample":null,"through":"auto","source":"auto","policy":{},"policies":{}}},"#
            + r#""options":{"slices":null,"concurrency":3,"page_size":10000,"page_bytes":"4mb","keep_alive":"5m"}}"#;
        assert_eq!(request_value(&search.into()).to_string(), expected);
        let structure = DataType::Struct(vec![Field::new("a".into(), DataType::List(Box::new(DataType::Int32)))]);
        let array = DataType::Array(Box::new(DataType::Float32), 3);
        let instant = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let names = [structure, array, instant].map(|dtype| type_name(&dtype));
        assert_eq!(names, ["struct[a: list[i32]]", "array[f32, 3]", "datetime[ms, UTC]"]);
    }

    #[test]
    fn every_part_of_a_search_counts() {
        let search = || Search::new("flights");
        let others = [
            Search::new("other"),
            Search { query: json!({"term": {"a": 1}}), ..search() },
            Search { columns: ColumnRequest::Named(vec!["a".to_owned()]), ..search() },
            Search { sort: vec![json!("a")], ..search() },
            Search { limit: Some(1), ..search() },
            Search { sample: Some(Sample { share: 0.5, seed: 1 }), ..search() },
            Search { through: Through::Scroll, ..search() },
            Search { source: es_frame::FieldSource::Source, ..search() },
            Search {
                policy: es_frame::CellPolicy { values: Some(es_frame::Values::List), ..Default::default() },
                ..search()
            },
        ];
        let mut seen = vec![of(&search_value(&search()))];
        for other in others {
            let fingerprint = of(&search_value(&other));
            assert!(!seen.contains(&fingerprint), "{other:?}");
            seen.push(fingerprint);
        }
    }
}
