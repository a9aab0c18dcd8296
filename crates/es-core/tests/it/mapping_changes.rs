//! The result of `Mapping::diff` for each change, compared with the behaviour of a real node.

use es_core::{ChangeKind, Mapping, NewIndex};
use serde_json::{Map, Value, json};

use crate::support::{has_module, live};

/// Types, a parameter of each, and two values of it. Every step between not set, the first
/// and the second is put to the server.
fn parameters() -> Vec<(Value, &'static str, Value, Value)> {
    let on = |field: Value, name, first: Value, second: Value| (field, name, first, second);
    let mut all = Vec::new();
    let common = |field_type: &str| {
        let field = json!({"type": field_type});
        [
            on(field.clone(), "index", json!(false), json!(true)),
            on(field.clone(), "doc_values", json!(false), json!("true")),
            on(field.clone(), "store", json!(true), json!(false)),
            on(field, "meta", json!({"unit": "ms"}), json!({"unit": "s"})),
        ]
    };
    for field_type in ["keyword", "long", "double", "boolean", "date", "ip", "geo_point"] {
        all.extend(common(field_type));
    }
    let of = |field_type: &str| json!({"type": field_type});
    all.extend([
        on(of("keyword"), "ignore_above", json!(10), json!("20")),
        on(of("keyword"), "eager_global_ordinals", json!(true), json!(false)),
        on(of("keyword"), "null_value", json!("x"), json!("y")),
        on(of("keyword"), "norms", json!(true), json!(false)),
        on(of("keyword"), "index_options", json!("freqs"), json!("docs")),
        on(of("keyword"), "similarity", json!("boolean"), json!("BM25")),
        on(of("keyword"), "split_queries_on_whitespace", json!(true), json!(false)),
        on(of("keyword"), "copy_to", json!("c1"), json!(["c1", "c2"])),
        on(of("text"), "store", json!(true), json!(false)),
        on(of("text"), "index", json!(false), json!(true)),
        on(of("text"), "analyzer", json!("whitespace"), json!("simple")),
        on(of("text"), "search_analyzer", json!("whitespace"), json!("simple")),
        on(of("text"), "search_quote_analyzer", json!("whitespace"), json!("simple")),
        on(of("text"), "norms", json!(false), json!(true)),
        on(of("text"), "fielddata", json!(true), json!(false)),
        on(of("text"), "eager_global_ordinals", json!(true), json!(false)),
        on(of("text"), "index_options", json!("docs"), json!("positions")),
        on(of("text"), "index_prefixes", json!({}), json!({"min_chars": 1, "max_chars": 3})),
        on(of("text"), "index_phrases", json!(true), json!(false)),
        on(of("text"), "position_increment_gap", json!(5), json!(100)),
        on(of("text"), "similarity", json!("boolean"), json!("BM25")),
        on(of("text"), "term_vector", json!("yes"), json!("no")),
        on(of("text"), "meta", json!({"a": "1"}), json!({})),
        on(of("long"), "coerce", json!(false), json!(true)),
        on(of("long"), "ignore_malformed", json!(true), json!(false)),
        on(of("long"), "null_value", json!(5), json!("7.0")),
        on(of("long"), "copy_to", json!("c1"), json!(["c1", "c2"])),
        on(of("double"), "null_value", json!("5"), json!(7)),
        on(of("boolean"), "null_value", json!("true"), json!(false)),
        on(of("boolean"), "ignore_malformed", json!(true), json!(false)),
        on(of("date"), "format", json!("yyyy-MM-dd"), json!("strict_date_optional_time||epoch_millis")),
        on(of("date"), "locale", json!("de"), json!("fr")),
        on(of("date"), "null_value", json!("2020-01-01"), json!("2021-01-01")),
        on(of("date"), "ignore_malformed", json!(true), json!(false)),
        on(of("date_nanos"), "format", json!("yyyy"), json!("strict_date_optional_time_nanos||epoch_millis")),
        on(of("ip"), "null_value", json!("1.1.1.1"), json!("2.2.2.2")),
        on(of("ip"), "ignore_malformed", json!(true), json!(false)),
        on(of("binary"), "doc_values", json!(true), json!(false)),
        on(of("geo_point"), "ignore_z_value", json!(false), json!(true)),
        on(of("geo_point"), "ignore_malformed", json!(true), json!(false)),
        on(of("geo_point"), "null_value", json!("1,2"), json!([3, 4])),
        on(of("flattened"), "depth_limit", json!(3), json!(20)),
        on(of("flattened"), "ignore_above", json!(10), json!(20)),
        on(of("flattened"), "null_value", json!("a"), json!("b")),
        on(of("integer_range"), "coerce", json!(false), json!(true)),
        on(of("date_range"), "format", json!("yyyy"), json!("strict_date_optional_time||epoch_millis")),
        on(of("object"), "dynamic", json!("strict"), json!(false)),
        on(of("object"), "enabled", json!(false), json!(true)),
        on(of("object"), "subobjects", json!(false), json!(true)),
        on(of("nested"), "dynamic", json!("strict"), json!(false)),
        on(of("nested"), "include_in_parent", json!(true), json!(false)),
        on(of("nested"), "include_in_root", json!(true), json!(false)),
        on(of("completion"), "analyzer", json!("whitespace"), json!("simple")),
        on(of("completion"), "max_input_length", json!(10), json!(50)),
        on(of("completion"), "preserve_separators", json!(false), json!(true)),
        on(json!({"type": "dense_vector", "dims": 4}), "similarity", json!("l2_norm"), json!("cosine")),
        on(json!({"type": "dense_vector", "dims": 4}), "index", json!(false), json!(true)),
        on(json!({"type": "dense_vector", "dims": 4}), "element_type", json!("byte"), json!("float")),
    ]);
    all
}

/// Whole definitions, before and after.
fn definitions() -> Vec<(Value, Value)> {
    let vector = |options: Value| json!({"type": "dense_vector", "dims": 64, "index_options": options});
    vec![
        (json!({"type": "integer"}), json!({"type": "long"})),
        (json!({"type": "keyword"}), json!({"type": "text"})),
        (json!({"type": "object"}), json!({"type": "nested"})),
        (json!({"properties": {"a": {"type": "long"}}}), json!({"type": "long"})),
        (json!({"type": "long"}), json!({"properties": {"a": {"type": "long"}}})),
        (json!({"type": "date"}), json!({"type": "date_nanos"})),
        (json!({"type": "object"}), json!({"properties": {"new": {"type": "long"}}})),
        (
            json!({"properties": {"a": {"type": "long"}}}),
            json!({"type": "object", "properties": {"a": {"type": "long"}}}),
        ),
        (json!({"properties": {"a": {"type": "long"}}}), json!({"properties": {"b": {"type": "long"}}})),
        (json!({"type": "keyword"}), json!({"type": "keyword", "fields": {"t": {"type": "text"}}})),
        (
            json!({"type": "keyword", "fields": {"t": {"type": "text"}}}),
            json!({"type": "keyword", "fields": {"t": {"type": "text", "fielddata": true}}}),
        ),
        (json!({"type": "keyword", "fields": {"t": {"type": "text"}}}), json!({"type": "keyword"})),
        (
            json!({"type": "keyword", "fields": {"t": {"type": "text"}}}),
            json!({"type": "keyword", "fields": {"t": {"type": "keyword"}}}),
        ),
        (json!({"type": "alias", "path": "c1"}), json!({"type": "alias", "path": "c2"})),
        (vector(json!({"type": "hnsw"})), vector(json!({"type": "int8_hnsw"}))),
        (vector(json!({"type": "int8_hnsw"})), vector(json!({"type": "hnsw"}))),
        (vector(json!({"type": "flat"})), vector(json!({"type": "int4_hnsw"}))),
        (vector(json!({"type": "int8_flat"})), vector(json!({"type": "hnsw"}))),
        (vector(json!({"type": "hnsw", "m": 16})), vector(json!({"type": "hnsw", "m": 32}))),
        (vector(json!({"type": "hnsw", "m": 16})), vector(json!({"type": "hnsw", "m": 8}))),
        (
            vector(json!({"type": "hnsw", "m": 16, "ef_construction": 200})),
            vector(json!({"type": "hnsw", "m": 16, "ef_construction": 100})),
        ),
        (vector(json!({"type": "hnsw"})), json!({"type": "dense_vector", "dims": 32})),
        (json!({"type": "long", "script": "emit(1)"}), json!({"type": "long", "script": {"source": "emit(2)"}})),
        (
            json!({"type": "long", "script": "emit(1)"}),
            json!({"type": "long", "script": {"source": "emit(1)", "lang": "painless"}, "on_script_error": "continue"}),
        ),
        (
            json!({"type": "text", "analyzer": "standard"}),
            json!({"type": "text", "analyzer": "standard", "search_analyzer": "standard"}),
        ),
    ]
}

fn with(field: &Value, name: &str, value: Option<&Value>) -> Value {
    let mut field = field.clone();
    if let Some(value) = value {
        field[name] = value.clone();
    }
    field
}

/// All changes that are tried: before, after.
fn cases() -> Vec<(Value, Value)> {
    let mut cases = definitions();
    for (field, name, first, second) in parameters() {
        let (none, first, second) = (None, Some(&first), Some(&second));
        for (before, after) in [(none, first), (none, second), (first, none), (first, second), (second, first)] {
            cases.push((with(&field, name, before), with(&field, name, after)));
        }
    }
    cases
}

fn of_field(name: &str, definition: &Value) -> Mapping {
    Mapping::new(Map::from_iter([(name.to_owned(), definition.clone())]))
}

fn field_of(mapping: &Mapping, name: &str) -> Mapping {
    of_field(name, &mapping.properties[name])
}

#[tokio::test]
async fn the_server_does_with_each_change_what_the_diff_says() {
    let Some((client, scope)) = live("each_change").await else { return };
    let indices = client.indices();
    let index = format!("{}a", scope.prefix());
    let mut cases = cases();
    if !has_module(&client, "lang-painless").await {
        cases.retain(|(before, _)| before.get("script").is_none());
    }
    let mut first =
        of_field("c1", &json!({"type": "keyword"})).overridden_by(&of_field("c2", &json!({"type": "keyword"})));
    for (number, (before, _)) in cases.iter().enumerate() {
        first = first.overridden_by(&of_field(&format!("f{number}"), before));
    }
    let settings = json!({"number_of_replicas": 0, "mapping.total_fields.limit": 5000});
    let settings = settings.as_object().unwrap().clone();
    indices.create(&index, &NewIndex { settings, mapping: first.clone() }).await.unwrap();
    let live = indices.describe(&index).await.unwrap().remove(0).mapping;

    // As the server reports what was put, it is what was put.
    let unequal = live.diff(&first);
    assert!(unequal.is_empty(), "{unequal:#?}");

    let mut accepted = Mapping::default();
    let mut expected = Vec::new();
    for (number, (before, after)) in cases.iter().enumerate() {
        let name = format!("f{number}");
        let wanted = of_field(&name, after);
        let diff = field_of(&live, &name).diff(&wanted);
        if diff.changes.iter().all(|change| change.accepted) {
            let update = field_of(&live, &name).in_place_update(&wanted);
            accepted = accepted.overridden_by(&update);
            expected.push((name, wanted, diff));
        } else {
            // Only what is surely refused is put alone: each request costs time.
            let answer = indices.put_mapping(&index, &wanted).await;
            assert!(answer.is_err(), "{before} to {after} is said to be refused and was taken: {diff:?}");
        }
    }
    if let Err(error) = indices.put_mapping(&index, &accepted).await {
        for (name, wanted, diff) in &expected {
            let alone = indices.put_mapping(&index, wanted).await;
            assert!(alone.is_ok(), "{name} was refused: {alone:?} {diff:?} {wanted:?}");
        }
        panic!("together they were refused: {error}");
    }
    let now = indices.describe(&index).await.unwrap().remove(0).mapping;
    for (name, wanted, diff) in expected {
        let left = field_of(&now, &name).diff(&wanted);
        let in_place = diff.changes.iter().all(|change| change.kind == ChangeKind::InPlace);
        assert!(!in_place || left.is_empty(), "{name} {diff:?} was put and is not there: {left:?}");
        // What is taken only for new documents shows in the mapping, what is ignored does not.
        let is_late = diff.changes.iter().any(|change| change.reason.contains("new sub-field"));
        assert!(!is_late || left.is_empty(), "{name} {diff:?} {left:?}");
    }
}

#[tokio::test]
async fn the_root_is_changed_as_the_diff_says() {
    let Some((client, scope)) = live("root_changes").await else { return };
    let indices = client.indices();
    let mapping = |value: &Value| serde_json::from_value::<Mapping>(value.clone()).unwrap();
    let runtime = |field_type: &str| json!({"runtime": {"r": {"type": field_type}}});
    let inner = |dynamic: Value| json!({"properties": {"o": {"dynamic": dynamic, "properties": {"p": {"properties": {"x": {"type": "long"}}}}}}});
    let table = [
        (json!({}), json!({"dynamic": "strict"}), true, true),
        (json!({"dynamic": "strict"}), json!({}), true, true),
        (json!({"dynamic": "strict"}), json!({"dynamic": true}), true, true),
        (json!({"date_detection": false}), json!({}), true, true),
        (json!({"numeric_detection": true}), json!({"numeric_detection": "false"}), true, true),
        (json!({"dynamic_date_formats": "yyyy"}), json!({}), true, true),
        (
            json!({"dynamic_templates": [{"a": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}]}),
            json!({}),
            true,
            true,
        ),
        (runtime("long"), runtime("keyword"), true, true),
        (runtime("long"), json!({}), true, true),
        (inner(json!("strict")), inner(json!("runtime")), true, true),
        (
            inner(json!("strict")),
            json!({"properties": {"o": {"properties": {"p": {"properties": {"x": {"type": "long"}}}}}}}),
            true,
            true,
        ),
        (json!({}), json!({"_routing": {"required": true}}), true, false),
        (json!({"_routing": {"required": true}}), json!({"_routing": {"required": false}}), false, false),
        (json!({"_routing": {"required": true}}), json!({}), true, false),
        (json!({}), json!({"subobjects": false}), true, false),
        (json!({"subobjects": true}), json!({"subobjects": false}), false, false),
        (json!({"subobjects": false}), json!({}), true, false),
        (json!({}), json!({"_source": {"excludes": ["a"]}}), true, false),
        (json!({"_source": {"excludes": ["a"]}}), json!({"_source": {"excludes": ["b"]}}), false, false),
        (json!({}), json!({"_source": {"enabled": false}}), true, false),
        (json!({"_source": {"enabled": false}}), json!({"_source": {"enabled": true}}), false, false),
    ];
    for (number, (before, after, accepted, in_place)) in table.into_iter().enumerate() {
        let index = format!("{}{number}", scope.prefix());
        let new = NewIndex { mapping: mapping(&before), ..NewIndex::default() };
        indices.create(&index, &new).await.unwrap();
        let live = indices.describe(&index).await.unwrap().remove(0).mapping;
        assert!(live.diff(&new.mapping).is_empty(), "{before} came back as {live:?}");
        let wanted = mapping(&after);
        let diff = live.diff(&wanted);
        assert!(!diff.is_empty(), "{before} {after}");
        assert_eq!(diff.changes.iter().all(|change| change.accepted), accepted, "{before} {after} {diff:?}");
        assert_eq!(!diff.needs_reindex(), in_place, "{before} {after} {diff:?}");
        let update = if in_place { live.in_place_update(&wanted) } else { wanted.clone() };
        let answer = indices.put_mapping(&index, &update).await;
        assert_eq!(answer.is_ok(), accepted, "{before} {after} {answer:?}");
        if in_place {
            let left = indices.describe(&index).await.unwrap().remove(0).mapping.diff(&wanted);
            assert!(left.is_empty(), "{before} {after}: {left:?}");
        }
        indices.delete(&index).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_spells_in_its_own_way_is_equal() {
    let Some((client, scope)) = live("own_way").await else { return };
    let index = format!("{}a", scope.prefix());
    let mut put: Mapping = serde_json::from_value(json!({
        "dynamic": false, "date_detection": "true", "dynamic_date_formats": "yyyy", "_meta": {"owner": "me"},
        "_source": {"enabled": true}, "_routing": {"required": "true"},
        "runtime": {"r": {"type": "long", "script": "emit(1)"}, "k": {"type": "keyword"}},
        "properties": {
            "a.b": {"type": "keyword", "fields": {}, "meta": {}, "copy_to": []},
            "a": {"properties": {"c": {"type": "long", "index": "true"}}},
            "empty": {"properties": {}},
            "n": {"type": "nested", "properties": {"x.y": {"type": "double", "null_value": "5"}}},
            "flat": {"subobjects": false, "properties": {"x": {"properties": {"y": {"type": "long"}}}}},
            "d": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
            "t": {"type": "text", "analyzer": "standard", "search_analyzer": "standard", "search_quote_analyzer": "standard"},
            "default": {"type": "text", "analyzer": "default"},
            "s": {"type": "text", "search_analyzer": "simple"},
            "k": {"type": "keyword", "ignore_above": "20", "index": "false", "doc_values": true, "copy_to": "c"},
            "c": {"type": "keyword", "normalizer": "lowercase"},
            "p": {"type": "geo_point", "null_value": "1,2"},
            "v": {"type": "dense_vector", "dims": 4},
            "comp": {"type": "completion"},
            "script": {"type": "long", "script": "emit(1)"},
        },
    }))
    .unwrap();
    if !has_module(&client, "lang-painless").await {
        put.properties.shift_remove("script");
        put.parameters["runtime"]["r"] = json!({"type": "long"});
    }
    client.indices().create(&index, &NewIndex { mapping: put.clone(), ..NewIndex::default() }).await.unwrap();
    let live = client.indices().describe(&index).await.unwrap().remove(0).mapping;
    assert!(live.diff(&put).is_empty(), "{:#?}", live.diff(&put));
    assert!(put.diff(&live).changes.iter().all(|change| change.path == "v"), "{:#?}", put.diff(&live));
    assert_eq!(live.meta, put.meta);
    // What comes back and is put again is the same once more.
    let again = format!("{}b", scope.prefix());
    client.indices().create(&again, &NewIndex { mapping: live.clone(), ..NewIndex::default() }).await.unwrap();
    assert_eq!(client.indices().describe(&again).await.unwrap().remove(0).mapping, live);
}

#[tokio::test]
async fn a_new_sub_field_is_taken_and_old_documents_lack_it() {
    let Some((client, scope)) = live("sub_field").await else { return };
    let index = format!("{}a", scope.prefix());
    let indices = client.indices();
    let first = of_field("a", &json!({"type": "keyword"}));
    indices.create(&index, &NewIndex { mapping: first.clone(), ..NewIndex::default() }).await.unwrap();
    let documents = client.documents(&index);
    documents.put("old", &json!({"a": "two words"}), es_core::Precondition::None).await.unwrap();
    let wanted = of_field("a", &json!({"type": "keyword", "fields": {"t": {"type": "text"}}}));
    let diff = first.diff(&wanted);
    assert!(diff.needs_reindex() && diff.changes[0].accepted, "{diff:?}");
    indices.put_mapping(&index, &wanted).await.unwrap();
    documents.put("new", &json!({"a": "two words"}), es_core::Precondition::None).await.unwrap();
    let with_sub_field = indices.count_matching(&index, &json!({"match": {"a.t": "words"}})).await.unwrap();
    assert_eq!((indices.count(&index).await.unwrap(), with_sub_field), (2, 1));
}
