//! The meaning of a scalar of YAML.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::Number;

use super::Content;

/// Refuses every tag of a collection but the one that says what it is anyway.
pub(super) fn refuse_tag(tag: Option<&Tag>, core_suffix: &str) -> Result<(), String> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == core_suffix) => {
            Err(format!("tag `{tag}` has no meaning here"))
        }
        _ => Ok(()),
    }
}

/// Resolves a scalar by the YAML 1.2 core schema
/// (<https://yaml.org/spec/1.2.2/#103-core-schema>).
pub(super) fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Content, String> {
    if let Some(tag) = tag {
        if tag.is_yaml_core_schema() && tag.suffix == "str" {
            return Ok(Content::String(text.to_owned()));
        }
        return Err(format!("tag `{tag}` has no meaning here"));
    }
    if style != ScalarStyle::Plain {
        return Ok(Content::String(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Content::Null),
        "true" | "True" | "TRUE" => return Ok(Content::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Content::Bool(false)),
        _ => {}
    }
    let unsigned = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(unsigned.as_str(), ".inf" | ".nan") && text.len() <= unsigned.len() + 1 {
        return Err(format!("`{text}` is not a number that a pipeline can hold"));
    }
    match number(text) {
        Some(number) => Ok(Content::Number(number)),
        None => Ok(Content::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        return unsigned
            .parse::<u64>()
            .map(Number::from)
            .or_else(|_| unsigned.parse::<i64>().map(Number::from))
            .ok()
            .or_else(|| Number::from_f64(unsigned.parse().ok()?));
    }
    let looks_like_a_float = digits.strip_prefix('.').unwrap_or(digits).starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if looks_like_a_float {
        return Number::from_f64(text.parse().ok()?);
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("a: 12", json!(12)),
            ("a: -3", json!(-3)),
            ("a: +3", json!(3)),
            ("a: 0x1f", json!(31)),
            ("a: 0o17", json!(15)),
            ("a: 0.5", json!(0.5)),
            ("a: .5", json!(0.5)),
            ("a: 1e3", json!(1000.0)),
            ("a: 2013-01-01", json!("2013-01-01")),
            ("a: 1.2.3", json!("1.2.3")),
            ("a: 12:30", json!("12:30")),
            ("a: no", json!("no")),
            ("a: 'true'", json!("true")),
            ("a: true", json!(true)),
            ("a: ~", json!(null)),
            ("a:", json!(null)),
            ("a: !!str 12", json!("12")),
            ("a: >\n  one\n  two\n", json!("one two\n")),
            ("a: '-'", json!("-")),
        ];
        for (text, expected) in cases {
            let (node, faults) = crate::yaml::read(text);
            assert!(faults.is_empty(), "{faults:?}");
            assert_eq!(node.unwrap().to_json()["a"], expected, "{text}");
        }
    }
}
