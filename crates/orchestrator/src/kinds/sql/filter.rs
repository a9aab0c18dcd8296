//! The part of a predicate that Elasticsearch can apply before rows are read. Pure.
//!
//! The query finds every document that the predicate holds for, and may find more: Polars applies
//! the whole predicate to what was read. So only comparisons enter it that mean the same in both,
//! for any value that a field can have: of whole numbers, truth values, times of at most a
//! millisecond, and keywords that are indexed as they are.

use std::collections::BTreeMap;

use es_core::IndexDescription;
use polars::prelude::{AnyValue, DataType, Expr, LiteralValue, Operator, TimeUnit};
use serde_json::{Value, json};

/// The types of fields whose comparisons mean the same in Elasticsearch and in Polars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparable {
    /// `long`, `integer`, `short` and `byte`.
    Whole,
    /// `boolean`.
    Boolean,
    /// `date`.
    Date,
    /// `keyword` that is indexed unchanged, up to a length in characters.
    Keyword {
        /// The greatest length; longer values are not indexed.
        longest: u64,
    },
}

/// Returns the fields of indices that can be compared, each the same in every index that has it.
pub(super) fn comparable(indices: &[IndexDescription]) -> BTreeMap<String, Comparable> {
    let mut found: BTreeMap<String, Option<Comparable>> = BTreeMap::new();
    for index in indices {
        // The setting makes any field one whose values may be missing from the index.
        let is_lenient = index.settings.get("mapping").is_some_and(|mapping| !mapping["ignore_malformed"].is_null());
        for (name, property) in index.mapping.fields() {
            let comparable = match property.field_type() {
                _ if is_lenient || property.parameter("index") == Some(&Value::Bool(false)) => None,
                _ if ["ignore_malformed", "script", "null_value"]
                    .iter()
                    .any(|key| property.parameter(key).is_some()) =>
                {
                    None
                }
                "long" | "integer" | "short" | "byte" => Some(Comparable::Whole),
                "boolean" => Some(Comparable::Boolean),
                "date" => Some(Comparable::Date),
                "keyword" if property.parameter("normalizer").is_none() => match property.parameter("ignore_above") {
                    None => Some(Comparable::Keyword { longest: u64::MAX }),
                    Some(longest) => longest.as_u64().map(|longest| Comparable::Keyword { longest }),
                },
                _ => None,
            };
            let known = found.entry(name).or_insert(comparable);
            if *known != comparable {
                *known = None;
            }
        }
    }
    found.into_iter().filter_map(|(name, comparable)| Some((name, comparable?))).collect()
}

/// Returns a query that finds every document that a predicate holds for; `None` where that would be
/// all of them.
pub(super) fn to_query(predicate: &Expr, fields: &BTreeMap<String, Comparable>) -> Option<Value> {
    let Expr::BinaryExpr { left, op, right } = predicate else {
        return match predicate {
            Expr::Column(name) if fields.get(name.as_str()) == Some(&Comparable::Boolean) => {
                Some(json!({ "term": { name.as_str(): true } }))
            }
            _ => None,
        };
    };
    match op {
        Operator::And | Operator::LogicalAnd => match (to_query(left, fields), to_query(right, fields)) {
            (Some(left), Some(right)) => Some(json!({ "bool": { "filter": [left, right] } })),
            (one, other) => one.or(other),
        },
        Operator::Or | Operator::LogicalOr => {
            let (left, right) = (to_query(left, fields)?, to_query(right, fields)?);
            Some(json!({ "bool": { "should": [left, right], "minimum_should_match": 1 } }))
        }
        _ => comparison(left, *op, right, fields),
    }
}

fn comparison(left: &Expr, op: Operator, right: &Expr, fields: &BTreeMap<String, Comparable>) -> Option<Value> {
    let (name, op, literal) = match (left, right) {
        (Expr::Column(name), Expr::Literal(literal)) => (name, op, literal),
        (Expr::Literal(literal), Expr::Column(name)) => (name, mirrored(op)?, literal),
        _ => return None,
    };
    let bound = match op {
        Operator::Eq => None,
        Operator::Lt => Some("lt"),
        Operator::LtEq => Some("lte"),
        Operator::Gt => Some("gt"),
        Operator::GtEq => Some("gte"),
        _ => return None,
    };
    let name = name.as_str();
    match (*fields.get(name)?, bound) {
        (Comparable::Keyword { longest }, None) => {
            // An equal value is as long, and so indexed as well.
            let text = text(literal).filter(|text| text.chars().count() as u64 <= longest)?;
            Some(json!({ "term": { name: text } }))
        }
        (Comparable::Boolean, None) => Some(json!({ "term": { name: truth(literal)? } })),
        (Comparable::Whole, None) => Some(json!({ "term": { name: whole(literal)? } })),
        (Comparable::Whole, Some(bound)) => Some(json!({ "range": { name: { bound: whole(literal)? } } })),
        (Comparable::Date, None) => {
            let at = milliseconds(literal)?;
            Some(json!({ "range": { name: { "gte": at, "lte": at, "format": "epoch_millis" } } }))
        }
        (Comparable::Date, Some(bound)) => {
            Some(json!({ "range": { name: { bound: milliseconds(literal)?, "format": "epoch_millis" } } }))
        }
        (Comparable::Keyword { .. } | Comparable::Boolean, Some(_)) => None,
    }
}

/// The operator with its sides exchanged.
fn mirrored(op: Operator) -> Option<Operator> {
    Some(match op {
        Operator::Eq => Operator::Eq,
        Operator::Lt => Operator::Gt,
        Operator::LtEq => Operator::GtEq,
        Operator::Gt => Operator::Lt,
        Operator::GtEq => Operator::LtEq,
        _ => return None,
    })
}

fn value(literal: &LiteralValue) -> Option<AnyValue<'static>> {
    literal.to_any_value().map(AnyValue::into_static)
}

fn text(literal: &LiteralValue) -> Option<String> {
    value(literal)?.get_str().map(str::to_owned)
}

fn truth(literal: &LiteralValue) -> Option<bool> {
    match value(literal)? {
        AnyValue::Boolean(truth) => Some(truth),
        _ => None,
    }
}

fn whole(literal: &LiteralValue) -> Option<i64> {
    let value = value(literal)?;
    value.dtype().is_integer().then(|| value.extract::<i64>()).flatten()
}

/// The instant of a literal, where it is a whole number of milliseconds.
fn milliseconds(literal: &LiteralValue) -> Option<i64> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let exactly = |value: i64, unit: i64| (value % unit == 0).then_some(value / unit);
    let value = value(literal)?;
    match (value.dtype(), value.to_physical().extract::<i64>()?) {
        (DataType::Date, days) => days.checked_mul(DAY),
        (DataType::Datetime(TimeUnit::Milliseconds, _), value) => Some(value),
        (DataType::Datetime(TimeUnit::Microseconds, _), value) => exactly(value, 1_000),
        (DataType::Datetime(TimeUnit::Nanoseconds, _), value) => exactly(value, 1_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NULL, col, lit};

    use super::*;

    fn fields() -> BTreeMap<String, Comparable> {
        let fields = [
            ("n", Comparable::Whole),
            ("b", Comparable::Boolean),
            ("at", Comparable::Date),
            ("k", Comparable::Keyword { longest: 5 }),
        ];
        fields.into_iter().map(|(name, comparable)| (name.to_owned(), comparable)).collect()
    }

    #[test]
    fn comparisons_become_queries() {
        let at = lit(1_356_998_400_000_i64).cast(DataType::Int64);
        let cases = [
            (col("n").gt(lit(15)), Some(json!({"range": {"n": {"gt": 15}}}))),
            (lit(15_i64).gt(col("n")), Some(json!({"range": {"n": {"lt": 15}}}))),
            (col("n").eq(lit(-1)), Some(json!({"term": {"n": -1}}))),
            (col("k").eq(lit("UA")), Some(json!({"term": {"k": "UA"}}))),
            (col("k").eq(lit("longer")), None),
            (col("b"), Some(json!({"term": {"b": true}}))),
            // Order of texts, inequality, fractions, nulls, casts and fields of other types stay with Polars.
            (col("k").gt(lit("UA")), None),
            (col("n").neq(lit(1)), None),
            (col("n").gt(lit(1.5)), None),
            (col("n").eq(lit(NULL)), None),
            (col("at").gt(at), None),
            (col("other").gt(lit(1)), None),
            (col("n"), None),
        ];
        for (predicate, query) in cases {
            assert_eq!(to_query(&predicate, &fields()), query, "{predicate}");
        }
    }

    #[test]
    fn a_part_that_stays_with_polars_widens_the_query() {
        let (known, unknown) = (col("n").gt(lit(1)), col("f").gt(lit(1)));
        let range = json!({"range": {"n": {"gt": 1}}});
        let query = |predicate: Expr| to_query(&predicate, &fields());
        assert_eq!(query(known.clone().and(unknown.clone())), Some(range.clone()));
        assert_eq!(query(unknown.clone().and(known.clone())), Some(range.clone()));
        assert_eq!(query(known.clone().or(unknown)), None);
        assert_eq!(
            query(known.clone().or(known)),
            Some(json!({"bool": {"should": [range, range], "minimum_should_match": 1}}))
        );
    }

    #[test]
    fn times_are_compared_as_milliseconds() {
        let literal = |value: AnyValue<'static>, dtype: DataType| {
            LiteralValue::Scalar(polars::prelude::Scalar::new(dtype, value))
        };
        let days = literal(AnyValue::Date(15_706), DataType::Date);
        assert_eq!(milliseconds(&days), Some(1_356_998_400_000));
        let unit = TimeUnit::Microseconds;
        let micros = |value| literal(AnyValue::Datetime(value, unit, None), DataType::Datetime(unit, None));
        assert_eq!(milliseconds(&micros(1_356_998_400_000_000)), Some(1_356_998_400_000));
        assert_eq!(milliseconds(&micros(1_356_998_400_000_001)), None);
    }

    #[test]
    fn fields_that_may_lack_values_in_the_index_are_not_compared() {
        let index = |settings: Value, properties: Value| IndexDescription {
            name: "i".to_owned(),
            aliases: Vec::new(),
            mapping: serde_json::from_value(json!({"properties": properties})).unwrap(),
            settings: settings.as_object().cloned().unwrap(),
        };
        let properties = json!({
            "a": {"type": "long"}, "b": {"type": "long", "ignore_malformed": true}, "c": {"type": "float"},
            "d": {"type": "keyword", "ignore_above": 10}, "h": {"type": "keyword", "normalizer": "lowercase"}, "e": {"type": "keyword"},
            "f": {"type": "date", "index": false}, "g": {"type": "boolean"},
        });
        let plain = index(json!({}), properties.clone());
        let found = comparable(std::slice::from_ref(&plain));
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "d", "e", "g"]);
        let other = index(json!({}), json!({"a": {"type": "keyword"}}));
        assert!(!comparable(&[plain, other]).contains_key("a"));
        let lenient = index(json!({"mapping": {"ignore_malformed": "true"}}), properties);
        assert!(comparable(&[lenient]).is_empty());
    }
}
