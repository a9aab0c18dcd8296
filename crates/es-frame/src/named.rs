//! Options that are one of a few names: their spelling, for files, flags and columns alike.

/// Gives an enum with one spelling for each variant its names: `ALL`, `as_str`,
/// `from_name`, [`Display`] and [`FromStr`]. The spelling is that of `serde`'s `snake_case`, which a test compares; a flag may
/// have `-` in place of `_`.
///
/// [`Display`]: std::fmt::Display
/// [`FromStr`]: std::str::FromStr
macro_rules! named_option {
    ($option:ident, $noun:literal, [$($variant:ident = $name:literal),+ $(,)?]) => {
        impl $option {
            /// All values, in the order in which a message lists them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name of the value in files, flags and columns.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The value with a name, spelled exactly so.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.as_str() == name)
            }
        }

        impl std::fmt::Display for $option {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $option {
            type Err = es_values::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::from_name(&text.replace('-', "_"));
                found.ok_or_else(|| $crate::named::unknown(text, $noun, &[$($name),+]))
            }
        }
    };
}

pub(crate) use named_option;

/// The error for a text that is none of the names of an option.
pub(crate) fn unknown(text: &str, noun: &str, names: &[&str]) -> es_values::InvalidValue {
    let help = match es_values::nearest(text, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write {}", es_values::one_of(names.iter().copied())),
    };
    es_values::InvalidValue::new(format!("`{text}` is not {noun}"), help)
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use es_values::InvalidValue;
    use schemars::{JsonSchema, schema_for};
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::{Value, json};

    use crate::{DottedNames, FieldSource, Malformed, Missing, NonFinite, Operation, Values, VectorForm};

    /// A name is spelled alike in files, in flags and in the schema.
    fn assert_named<T, const N: usize>(all: [T; N], names: [&str; N])
    where
        T: Copy + Debug + Display + PartialEq + FromStr<Err = InvalidValue> + Serialize + DeserializeOwned + JsonSchema,
    {
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
        for (value, name) in all.into_iter().zip(names) {
            assert_eq!(name.parse::<T>().unwrap(), value);
            assert_eq!(serde_json::to_value(value).unwrap(), json!(name));
            assert_eq!(serde_json::from_value::<T>(json!(name)).unwrap(), value);
        }
        let schema = schema_for!(T).to_value();
        let alternatives = schema["oneOf"].as_array().unwrap();
        assert_eq!(alternatives.iter().map(|one| one["const"].as_str().unwrap()).collect::<Vec<_>>(), names);
        assert!(alternatives.iter().all(|one| one["description"].is_string()), "{schema}");
    }

    #[test]
    fn each_option_has_one_spelling() {
        assert_named(DottedNames::ALL, ["flat", "objects"]);
        assert_named(NonFinite::ALL, ["null", "reject", "string"]);
        assert_named(Operation::ALL, ["index", "create", "update", "upsert", "delete"]);
        assert_named(VectorForm::ALL, ["numbers", "base64"]);
        assert_named(Values::ALL, ["one", "list", "first", "last"]);
        assert_named(Malformed::ALL, ["error", "null"]);
        assert_named(Missing::ALL, ["null", "error"]);
        assert_named(FieldSource::ALL, ["auto", "doc_values", "source"]);
    }

    #[test]
    fn a_flag_may_have_hyphens() {
        assert_eq!("doc-values".parse::<FieldSource>().unwrap(), FieldSource::DocValues);
    }

    #[test]
    fn an_unknown_name_lists_or_suggests_the_known_ones() {
        let error = "indx".parse::<Operation>().unwrap_err();
        assert_eq!(error.message, "`indx` is not an operation");
        assert_eq!(error.help.as_deref(), Some("did you mean `index`?"));
        let error = "many".parse::<Missing>().unwrap_err();
        assert_eq!(error.help.as_deref(), Some("write `null` or `error`"));
        assert!(serde_json::from_value::<Operation>(Value::from("Index")).is_err());
    }
}
