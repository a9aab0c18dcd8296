//! The text of a document: fields one after the other, or a template with their values.

use std::fmt;

use es_values::{Format, InvalidValue};
use polars::prelude::{Column, DataFrame, DataType, PolarsResult, Schema, polars_err};
use schemars::{JsonSchema, Schema as JsonSchemaOf, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text between two fields.
const BETWEEN: &str = "\n\n";

/// The format of templates, for the checker of pipeline files.
pub const TEMPLATE: Format =
    Format { name: "text-template", noun: "a template such as `{title}: {body}`", check: check_template };

fn check_template(text: &str) -> Result<(), InvalidValue> {
    let help = "write a field in braces, such as `{title}`, and two braces for one";
    Template::parse(text).map(drop).map_err(|message| InvalidValue::new(message, help))
}

/// The text of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSource {
    /// The texts of these fields, with an empty line between them.
    Fields(Vec<String>),
    /// A text with fields in braces.
    Template(Template),
}

/// A text with fields in braces: `{title}: {body}`. Two braces stand for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

impl Template {
    fn parse(written: &str) -> Result<Self, String> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let mut rest = written.chars().peekable();
        while let Some(one) = rest.next() {
            match one {
                '{' | '}' if rest.peek() == Some(&one) => {
                    rest.next();
                    text.push(one);
                }
                '{' => {
                    let mut field = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(one) if one != '{' => field.push(one),
                            _ => return Err(format!("the brace of `{{{field}` is not closed; write {{{{ for a brace")),
                        }
                    }
                    let field = field.trim().to_owned();
                    if field.is_empty() {
                        return Err("braces name a field, such as {title}; write {{ for a brace".to_owned());
                    }
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Field(field));
                }
                '}' => return Err("a closing brace has no opening one; write }} for a brace".to_owned()),
                other => text.push(other),
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Field(_))) {
            return Err("the template names no field, such as {title}".to_owned());
        }
        Ok(Self { written: written.to_owned(), pieces })
    }
}

impl TextSource {
    /// The fields whose values are needed.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        let mut add = |field| {
            if !fields.contains(&field) {
                fields.push(field)
            }
        };
        match self {
            Self::Fields(names) => names.iter().for_each(|name| add(name.as_str())),
            Self::Template(template) => template.pieces.iter().for_each(|piece| {
                if let Piece::Field(name) = piece {
                    add(name.as_str());
                }
            }),
        }
        fields
    }

    /// The first field that is no text, number or boolean in a schema, with its type.
    pub fn unfit<'a>(&'a self, schema: &'a Schema) -> Option<(&'a str, &'a DataType)> {
        let is_fit = |dtype: &DataType| {
            dtype.is_primitive_numeric()
                || dtype.is_bool()
                || matches!(dtype, DataType::String | DataType::Categorical(..) | DataType::Enum(..))
        };
        let mut fields = self.fields().into_iter().filter_map(|field| Some((field, schema.get(field)?)));
        fields.find(|(_, dtype)| !is_fit(dtype))
    }

    /// The text of each row; none of a row that has no value of any field.
    ///
    /// # Errors
    /// When a column is missing, or cannot be text.
    pub fn texts(&self, rows: &DataFrame) -> PolarsResult<Vec<Option<String>>> {
        let columns: Vec<(&str, Column)> = self
            .fields()
            .into_iter()
            .map(|field| Ok((field, rows.column(field)?.strict_cast(&DataType::String)?)))
            .collect::<PolarsResult<_>>()?;
        let value = |field: &str, row: usize| -> PolarsResult<Option<&str>> {
            let found = columns.iter().find(|(name, _)| *name == field);
            let (_, column) = found.ok_or_else(|| polars_err!(ColumnNotFound: "{field}"))?;
            Ok(column.str()?.get(row))
        };
        (0..rows.height())
            .map(|row| match self {
                Self::Fields(names) => {
                    let mut text: Option<String> = None;
                    for name in names {
                        let Some(value) = value(name, row)? else { continue };
                        match &mut text {
                            None => text = Some(value.to_owned()),
                            Some(text) => {
                                text.push_str(BETWEEN);
                                text.push_str(value);
                            }
                        }
                    }
                    Ok(text)
                }
                Self::Template(template) => {
                    let (mut text, mut has_value) = (String::new(), false);
                    for piece in &template.pieces {
                        match piece {
                            Piece::Text(fixed) => text.push_str(fixed),
                            Piece::Field(name) => {
                                let value = value(name, row)?;
                                has_value |= value.is_some();
                                text.push_str(value.unwrap_or_default());
                            }
                        }
                    }
                    Ok(has_value.then_some(text))
                }
            })
            .collect()
    }
}

impl fmt::Display for TextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(names) => f.write_str(&names.join(", ")),
            Self::Template(template) => f.write_str(&template.written),
        }
    }
}

impl Serialize for TextSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fields(names) => names.serialize(serializer),
            Self::Template(template) => serializer.serialize_str(&template.written),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Fields(Vec<String>),
    Template(String),
}

impl<'de> Deserialize<'de> for TextSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Fields(names) => Ok(Self::Fields(names)),
            Written::Template(text) => Template::parse(&text).map(Self::Template).map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for TextSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TextSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaOf {
        schemars::json_schema!({
            "description": "Fields, or a template.",
            "type": ["array", "string"],
            "items": { "type": "string", "format": "text", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
            "format": "text-template",
        })
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;
    use serde_json::json;

    use super::*;

    fn source(written: serde_json::Value) -> Result<TextSource, String> {
        serde_json::from_value(written).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_and_templates_give_the_text_of_a_row() {
        let rows = df!(
            "title" => [Some("A"), None, None],
            "body" => [Some("b"), Some("c"), None],
            "n" => [1, 2, 3],
        )
        .unwrap();
        let texts = |written| source(written).unwrap().texts(&rows).unwrap();
        let owned = |texts: &[Option<&str>]| texts.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(texts(json!(["title", "body"])), owned(&[Some("A\n\nb"), Some("c"), None]));
        assert_eq!(texts(json!("{{{title}}} { body }")), owned(&[Some("{A} b"), Some("{} c"), None]));
        assert_eq!(texts(json!("{n}. {title}")), owned(&[Some("1. A"), Some("2. "), Some("3. ")]));
        assert_eq!(source(json!("{a}{b}{a}")).unwrap().fields(), ["a", "b"]);
    }

    #[test]
    fn mistakes_in_templates_are_told() {
        for (written, message) in [
            ("title", "the template names no field, such as {title}"),
            ("{title", "the brace of `{title` is not closed; write {{ for a brace"),
            ("{a{b}}", "the brace of `{a` is not closed; write {{ for a brace"),
            ("title}", "a closing brace has no opening one; write }} for a brace"),
            ("{}", "braces name a field, such as {title}; write {{ for a brace"),
        ] {
            assert_eq!(source(json!(written)).unwrap_err(), message, "{written}");
        }
    }
}
