//! Checks that a line is a JSON object, and finds the values of a few of its fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The values of fields of a line, as they are written, in the order of `names`; the reason if the
/// line is not a JSON object. A name may be a dotted path into objects; a field whose own name has
/// dots is found as well.
pub(crate) fn fields_of<'a>(line: &'a [u8], names: &[String]) -> Result<Vec<Option<&'a str>>, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8: byte {} is wrong", error.valid_up_to() + 1))?;
    let mut found = vec![None; names.len()];
    let paths: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
    object(text, &paths, &mut found).map_err(|error| reason(text, &error))?;
    Ok(found)
}

/// Searches one object.
fn object<'a>(text: &'a str, paths: &[(usize, &str)], found: &mut [Option<&'a str>]) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    Object { paths, found }.deserialize(&mut json)?;
    json.end()
}

struct Object<'p, 'a> {
    paths: &'p [(usize, &'p str)],
    found: &'p mut [Option<&'a str>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'a>>()? {
            let inside: Vec<(usize, &str)> =
                self.paths.iter().filter_map(|(at, path)| Some((*at, after(path, &key)?))).collect();
            if inside.is_empty() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &'a RawValue = map.next_value()?;
            for (at, _) in inside.iter().filter(|(_, rest)| rest.is_empty()) {
                self.found[*at] = Some(value.get());
            }
            let deeper: Vec<(usize, &str)> = inside.into_iter().filter(|(_, rest)| !rest.is_empty()).collect();
            if !deeper.is_empty() && value.get().starts_with('{') {
                object(value.get(), &deeper, self.found).map_err(serde::de::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// The rest of a path inside the field `key`; empty if the path is that field.
fn after<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(key)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.').filter(|rest| !rest.is_empty()) }
}

/// The name of a field; borrowed unless it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Key<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'a> Visitor<'a> for Name {
            type Value = Key<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }
            fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

fn reason(text: &str, error: &serde_json::Error) -> String {
    if !text.starts_with('{') {
        return "it is not a JSON object".to_owned();
    }
    // The parser sees one line, so that its line number says nothing.
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    format!("it is not valid JSON: {what} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object() {
        let check_object = |line: &[u8]| fields_of(line, &[]).map(|_| ());
        let good = [
            "{}",
            r#"{"a":1,"a":2}"#,
            r#"{"n":123456789012345678901234567890.000,"big":1e999}"#,
            r#"{"\u0061":"\ud83d\ude00","b":[[],{"c":null}]}"#,
        ];
        for line in good {
            assert_eq!(check_object(line.as_bytes()), Ok(()), "{line}");
        }
        let bad: [(&[u8], &str); 12] = [
            (b"[1]", "it is not a JSON object"),
            (b"1", "it is not a JSON object"),
            (b"n,s", "it is not a JSON object"),
            (b"{\"a\":1", "it is not valid JSON: EOF while parsing an object at column 6"),
            (b"{\"a\":1}{}", "it is not valid JSON: trailing characters at column 8"),
            (b"{\"a\":1} x", "it is not valid JSON: trailing characters at column 9"),
            (b"{\"a\":01}", "it is not valid JSON: invalid number at column 7"),
            (b"{\"a\":NaN}", "it is not valid JSON: expected value at column 6"),
            (b"{'a':1}", "it is not valid JSON: key must be a string at column 2"),
            (
                b"{\"a\":\"\x00\"}",
                "it is not valid JSON: control character (\\u0000-\\u001F) found while parsing a string at column 6",
            ),
            (b"{\"a\":\"\xff\"}", "it is not UTF-8: byte 7 is wrong"),
            (b"{\"a\":1,}", "it is not valid JSON: trailing comma at column 8"),
        ];
        for (line, expected) in bad {
            assert_eq!(check_object(line).unwrap_err(), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn fields_are_found_by_their_paths() {
        let line = r#"{"id": "x", "a":{"b":{"c":1.50},"d":"e"}, "a.b":{"e":true}, "f.g":2, "\u0068":[1, 2]}"#;
        let table = [
            ("id", Some("\"x\"")),
            ("a.b.c", Some("1.50")),
            ("a.d", Some("\"e\"")),
            ("a.b.e", Some("true")),
            ("f.g", Some("2")),
            ("h", Some("[1, 2]")),
            ("id.x", None),
            ("a.", None),
            ("nope", None),
        ];
        for (name, expected) in table {
            assert_eq!(fields_of(line.as_bytes(), &[name.to_owned()]).unwrap(), [expected], "{name}");
        }
        let names: Vec<String> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
        let all: Vec<_> = table.iter().map(|(_, expected)| *expected).collect();
        assert_eq!(fields_of(line.as_bytes(), &names).unwrap(), all);
    }
}
