//! The treatment of the values of fields.

use es_frame::CellPolicy;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::encode::Encoding;

/// The treatment of the values of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldOptions {
    /// Several values, malformed ones and missing ones.
    #[serde(flatten)]
    pub policy: CellPolicy,
    /// The encoding of the values as numbers. Its statistics come from the training part alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encoding>,
}

impl FieldOptions {
    /// The policies of single fields, as [`Search::policies`](crate::Search::policies) takes them.
    pub fn policies(fields: &IndexMap<String, Self>) -> IndexMap<String, CellPolicy> {
        fields.iter().map(|(name, options)| (name.clone(), options.policy)).collect()
    }

    /// The encodings of single fields, as [`Export::encodings`](crate::Export::encodings) takes them.
    pub fn encodings(fields: &IndexMap<String, Self>) -> IndexMap<String, Encoding> {
        fields.iter().filter_map(|(name, options)| Some((name.clone(), options.encode?))).collect()
    }

    /// The fields that are not among the columns, where these are named.
    pub fn check(fields: &IndexMap<String, Self>, columns: Option<&[String]>) -> Vec<Problem> {
        let Some(columns) = columns else { return Vec::new() };
        let unknown = fields.keys().filter(|field| !columns.contains(field));
        unknown
            .map(|field| {
                let otherwise = "remove it, or add it to the columns";
                Problem::unknown_field([field.as_str().into()], field, columns, otherwise)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use es_frame::{Malformed, Missing, Values};
    use serde_json::json;

    use super::*;

    #[test]
    fn field_options_are_written_as_they_were_read() {
        let all = r#"{"values":"first","malformed":"null","missing":"error","encode":"one_hot"}"#;
        let options: FieldOptions = serde_json::from_str(all).unwrap();
        let expected =
            CellPolicy { values: Some(Values::First), malformed: Some(Malformed::Null), missing: Some(Missing::Error) };
        assert_eq!((options.policy, options.encode), (expected, Some(Encoding::OneHot)));
        assert_eq!(serde_json::to_string(&options).unwrap(), all);
        assert_eq!(serde_json::to_string(&FieldOptions::default()).unwrap(), "{}");
        let error = serde_json::from_value::<FieldOptions>(json!({"value": "first"})).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `value`"), "{error}");
    }

    #[test]
    fn fields_are_columns() {
        let fields: IndexMap<String, FieldOptions> =
            serde_json::from_value(json!({"x": {"encode": "codes"}, "z": {"values": "list"}})).unwrap();
        let columns = ["x".to_owned(), "y".to_owned()];
        let invalid = FieldOptions::check(&fields, Some(&columns));
        assert_eq!(invalid.len(), 1);
        assert_eq!(invalid[0].to_string(), "z: `z` is not among the columns `x`, `y`");
        assert!(FieldOptions::check(&fields, None).is_empty());
        assert_eq!(FieldOptions::encodings(&fields).keys().collect::<Vec<_>>(), ["x"]);
        assert_eq!(FieldOptions::policies(&fields)["z"].values, Some(Values::List));
    }
}
