//! The columns that lines of NDJSON make, and whether later lines fit them.
//!
//! Polars itself passes over fields that its schema lacks, and writes numbers and lists out
//! as text where another line has a text: here both are refused. What is left to Polars are
//! values inside of one list, which it makes texts if one of them is, and integers in a
//! column of floats, which are exact up to 2⁵³. Raw lines keep both as they are.

use polars::prelude::{DataType, Field, PolarsError, PolarsResult, Schema, SchemaRef};
use polars_json::ndjson::iter_unique_dtypes;

use super::json_check::check_object;
use super::lines::lines;
use super::trouble::Trouble;

/// The columns of a file.
pub(crate) struct Settled<'a> {
    schema: &'a Schema,
}

impl<'a> Settled<'a> {
    pub(crate) fn by(schema: &'a Schema) -> Self {
        Self { schema }
    }

    /// Whether all lines of a text are objects that fit.
    pub(crate) fn take_all(&self, text: &[u8]) -> bool {
        schemas(text).is_ok_and(|all| all.iter().all(|schema| self.take(schema).is_ok()))
    }

    /// Whether a line fits, or why not.
    pub(crate) fn take(&self, found: &Schema) -> Result<(), String> {
        for (name, dtype) in found.iter() {
            match self.schema.get(name) {
                None => {
                    return Err(format!(
                        "field {name} is in none of the lines of the first piece, which settle the columns"
                    ));
                }
                Some(wanted) if joined(dtype, wanted).as_ref() != Some(wanted) => {
                    return Err(format!(
                        "field {name} is {dtype}, and {wanted} in the first piece, which settles the columns"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// The schema of all lines that are JSON objects.
pub(crate) fn schema_of(text: &[u8]) -> Result<SchemaRef, Trouble> {
    let mut settled = Schema::default();
    if schemas(text).is_ok_and(|all| all.iter().all(|found| settle(&mut settled, found).is_ok())) {
        return Ok(settled.into());
    }
    // Something is wrong with some line: look at each.
    let (mut settled, mut refused, mut taken) = (Schema::default(), None, false);
    for line in lines(text) {
        match schema_of_line(line.text) {
            Ok(found) => {
                let at = line.number + 1;
                settle(&mut settled, &found).map_err(|why| Trouble::content(format!("line {at}: {why}")))?;
                taken = true;
            }
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    if taken { Ok(settled.into()) } else { Err(no_object(&refused.unwrap_or_default())) }
}

/// The failure of a text that begins without any JSON object.
pub(crate) fn no_object(reason: &str) -> Trouble {
    Trouble::content(format!("none of its first lines is a JSON object ({reason})"))
}

/// The schema of one line, or why it is no JSON object.
pub(crate) fn schema_of_line(line: &[u8]) -> Result<Schema, String> {
    check_object(line)?;
    let found = schemas(line).map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    found.into_iter().next().ok_or_else(|| "it is blank".to_owned())
}

/// The schemas that occur among the lines of a text.
fn schemas(text: &[u8]) -> PolarsResult<Vec<Schema>> {
    let of = |dtype: DataType| match dtype {
        DataType::Struct(fields) => Ok(fields.into_iter().collect()),
        other => Err(PolarsError::ComputeError(format!("a line is {other}, and no object").into())),
    };
    iter_unique_dtypes(&mut &*text, None)?.map(|dtype| of(DataType::from_arrow_dtype(&dtype))).collect()
}

/// Adds the fields of one line.
fn settle(settled: &mut Schema, found: &Schema) -> Result<(), String> {
    for (name, dtype) in found.iter() {
        let both = match settled.get(name) {
            None => Some(dtype.clone()),
            Some(before) => joined(dtype, before),
        };
        let Some(both) = both else {
            let before = settled.get(name).map(DataType::to_string).unwrap_or_default();
            return Err(format!("field {name} is {dtype}, and {before} in the lines before"));
        };
        settled.with_column(name.clone(), both);
    }
    Ok(())
}

/// The type whose values are those of both types.
fn joined(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::{Float64, Int64, Int128, List, Null, Struct};
    match (one, other) {
        (same, also) if same == also => Some(same.clone()),
        (Null, of) | (of, Null) => Some(of.clone()),
        (Int64, wide @ (Float64 | Int128)) | (wide @ (Float64 | Int128), Int64) => Some(wide.clone()),
        (List(one), List(other)) => Some(List(Box::new(joined(one, other)?))),
        (Struct(one), Struct(other)) => {
            let mut fields: Vec<Field> = other.clone();
            for field in one {
                match fields.iter_mut().find(|known| known.name() == field.name()) {
                    None => fields.push(field.clone()),
                    Some(known) => *known = Field::new(known.name().clone(), joined(field.dtype(), known.dtype())?),
                }
            }
            Some(Struct(fields))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_takes() {
        use DataType::{Boolean, Float64, Int64, Int128, Null, String};
        let list = |of: DataType| DataType::List(Box::new(of));
        let object = |fields: &[(&str, DataType)]| {
            DataType::Struct(fields.iter().map(|(name, of)| Field::new((*name).into(), of.clone())).collect())
        };
        let table = [
            (Null, Int64, true),
            (Int64, Null, false),
            (Int64, Float64, true),
            (Int64, Int128, true),
            (Float64, Int64, false),
            (Int64, String, false),
            (String, Boolean, false),
            (list(Null), list(String), true),
            (list(Float64), list(Int64), false),
            (Int64, list(Int64), false),
            (String, list(String), false),
            (list(Int64), String, false),
            (object(&[("a", Int64)]), object(&[("b", String), ("a", Float64)]), true),
            (object(&[("c", Int64)]), object(&[("a", Int64)]), false),
            (object(&[("a", String)]), object(&[("a", Int64)]), false),
        ];
        for (found, wanted, expected) in table {
            let settled = Schema::from_iter([Field::new("x".into(), wanted.clone())]);
            let line = Schema::from_iter([Field::new("x".into(), found.clone())]);
            assert_eq!(Settled::by(&settled).take(&line).is_ok(), expected, "{found} in {wanted}");
        }
    }

    #[test]
    fn a_line_that_does_not_go_with_those_before_is_named() {
        let table = [
            ("{\"a\":1}\n{\"a\":\"x\"}\n", "line 2: field a is str, and i64 in the lines before"),
            ("\nbroken\n{\"a\":\"x\"}\n{\"a\":[1]}\n", "line 4: field a is list[i64], and str in the lines before"),
            (
                "{\"a\":{\"b\":1}}\n{\"a\":{\"b\":true}}",
                "line 2: field a is struct[1], and struct[1] in the lines before",
            ),
            ("[1]\n", "none of its first lines is a JSON object (it is not a JSON object)"),
        ];
        for (text, expected) in table {
            assert_eq!(schema_of(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
        let mixed = schema_of(b"{\"a\":null}\nbroken\n{\"a\":1,\"b\":[]}\n{\"a\":2.5,\"b\":[\"x\"]}").unwrap();
        assert_eq!(mixed.get("a"), Some(&DataType::Float64));
        assert_eq!(mixed.get("b"), Some(&DataType::List(Box::new(DataType::String))));
    }
}
