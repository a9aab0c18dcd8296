//! The names of the fields of a JSON document: those that the server would misread or refuse, and the
//! members that are metadata and no fields.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Names at the top of a document that Elasticsearch keeps for its own metadata.
const RESERVED: [&str; 11] = [
    "_id",
    "_index",
    "_routing",
    "_version",
    "_source",
    "_seq_no",
    "_primary_term",
    "_field_names",
    "_ignored",
    "_nested_path",
    "_tier",
];

/// Metadata that an action can carry, so that a document can leave it out.
pub(crate) const METADATA: [&str; 3] = ["_id", "_routing", "_version"];

/// The end of the reason for which documents with metadata among their fields are refused.
const IS_METADATA: &str = " is metadata, which is kept outside of documents";

/// The metadata for which a document was refused, if that was the reason.
pub(crate) fn refused_metadata(reason: &str) -> Option<&'static str> {
    reserved(reason.strip_suffix(IS_METADATA)?.strip_prefix("field ")?)
}

/// The name at the top of a document that is metadata; `None` for the name of a field.
pub(crate) fn reserved(name: &str) -> Option<&'static str> {
    let first = name.split('.').next().unwrap_or_default();
    RESERVED.into_iter().find(|reserved| *reserved == first)
}

/// Checks the names of all objects of a document, which is valid JSON: that each is the name of a field,
/// and that none stands twice in an object, be it as `a` and `a.b`. Members at the top that are called as
/// one of `taken` are not fields; their ranges are returned.
///
/// # Errors
/// The reason for which the document is refused.
pub(crate) fn check_names(document: &str, taken: &[String]) -> Result<Vec<Range<usize>>, String> {
    Scan { text: document, at: 0, names: Vec::new(), open: Vec::new(), taken, ranges: Vec::new() }.run()
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The names of all open objects.
    names: Vec<Name<'a>>,
    /// For each open object, the number of names before its own; `None` for an array.
    open: Vec<Option<usize>>,
    taken: &'a [String],
    ranges: Vec<Range<usize>>,
}

struct Name<'a> {
    text: Cow<'a, str>,
    start: usize,
    /// The first byte of the value.
    value: u8,
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Result<Vec<Range<usize>>, String> {
        let bytes = self.text.as_bytes();
        let mut is_name = false;
        let mut taking = None;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' if is_name => {
                    is_name = false;
                    let name = self.name()?;
                    if self.open.len() == 1 {
                        if self.taken.iter().any(|taken| *taken == name.text) {
                            taking = Some(name.start);
                        } else if let Some(reserved) = reserved(&name.text) {
                            return Err(format!("field {reserved}{IS_METADATA}"));
                        }
                    }
                    self.names.push(name);
                    continue;
                }
                b'"' => {
                    self.at = self.end_of_string();
                    continue;
                }
                b'{' => {
                    self.open.push(Some(self.names.len()));
                    is_name = true;
                }
                b'[' => self.open.push(None),
                b',' => {
                    is_name = matches!(self.open.last(), Some(Some(_)));
                    if self.open.len() == 1 {
                        self.ranges.extend(taking.take().map(|start| start..self.at));
                    }
                }
                b'}' => {
                    if self.open.len() == 1 {
                        self.ranges.extend(taking.take().map(|start| start..self.at));
                    }
                    self.close()?;
                    is_name = false;
                }
                b']' => drop(self.open.pop()),
                _ => {}
            }
            self.at += 1;
        }
        Ok(self.ranges)
    }

    /// Reads a name and goes to its value.
    fn name(&mut self) -> Result<Name<'a>, String> {
        let (start, end) = (self.at, self.end_of_string());
        let raw = &self.text[start..end];
        let inside = &raw[1..raw.len() - 1];
        let text = match inside.contains('\\') {
            false => Cow::Borrowed(inside),
            true => Cow::Owned(serde_json::from_str(raw).map_err(|_| {
                format!("the name {raw} of a field at column {} has an escape that is no character", start + 1)
            })?),
        };
        if let Some(why) = misnamed(&text) {
            return Err(format!("the name {raw} of a field at column {} {why}", start + 1));
        }
        let rest = &self.text.as_bytes()[end..];
        let is_before = |byte: &u8| matches!(byte, b':' | b' ' | b'\t' | b'\n' | b'\r');
        self.at = end + rest.iter().position(|byte| !is_before(byte)).unwrap_or(rest.len());
        let value = self.text.as_bytes().get(self.at).copied().unwrap_or_default();
        Ok(Name { text, start, value })
    }

    /// The end of the string that begins here, with its quotes.
    fn end_of_string(&self) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        while let Some(next) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            at += next;
            if bytes[at] == b'"' {
                return at + 1;
            }
            at += 2;
        }
        bytes.len()
    }

    /// Ends an object, whose names are then all known.
    fn close(&mut self) -> Result<(), String> {
        let Some(Some(first)) = self.open.pop() else { return Ok(()) };
        check_object(&mut self.names[first..])?;
        self.names.truncate(first);
        Ok(())
    }
}

/// Checks that no name of an object stands twice.
fn check_object(names: &mut [Name<'_>]) -> Result<(), String> {
    // Few names are quicker compared with each other than sorted.
    const FEW: usize = 16;
    let twice = if names.len() <= FEW {
        (1..names.len()).find(|at| names[..*at].iter().any(|before| before.text == names[*at].text))
    } else {
        names.sort_unstable_by(|one, other| one.text.cmp(&other.text));
        (1..names.len()).find(|at| names[at - 1].text == names[*at].text)
    };
    if let Some(at) = twice {
        return Err(format!("the field {} stands twice in one object", names[at].text));
    }
    for name in names.iter() {
        for (dot, _) in name.text.match_indices('.') {
            let object = &name.text[..dot];
            let value = names.iter().find(|other| other.text == object);
            if value.is_some_and(|value| !matches!(value.value, b'{' | b'[' | b'n')) {
                return Err(format!("the field {object} is a value, and by {} an object as well", name.text));
            }
        }
    }
    Ok(())
}

/// The reason for which a text is no name of a field. Dots divide the names of objects.
fn misnamed(name: &str) -> Option<&'static str> {
    if !name.contains('.') {
        return match name {
            "" => Some("is empty"),
            name if name.trim().is_empty() => Some("is white space alone"),
            _ => None,
        };
    }
    let is_blank = |part: &str| part.trim().is_empty();
    match name {
        name if name.split('.').all(is_blank) => Some("is dots alone"),
        name if name.split('.').next().is_some_and(is_blank) => Some("begins with a dot"),
        name if name.rsplit('.').next().is_some_and(is_blank) => Some("ends with a dot"),
        name if name.split('.').any(is_blank) => Some("has nothing between two dots"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str) -> Result<(), String> {
        serde_json::from_str::<serde_json::Value>(document).unwrap();
        check_names(document, &[]).map(drop)
    }

    #[test]
    fn names_of_fields_are_taken_and_others_refused_with_their_column() {
        let good = [
            "{}",
            r#"{"a":1,"b":{"a":[{"a":"x\"a\":"},{"a":2}]},"d.b":null,"c d":1," e":"\\"}"#,
            r#"{"a":{"c":1},"a.b":2,"n":null,"n.m":1,"l":[{"x":1}],"l.y":2}"#,
            r#"{"o":{"_id":1},"_type":"x","_foo":1,"_idx":1}"#,
            r#"{"a":"b.","c":["d."],"e" : "f"}"#,
        ];
        for document in good {
            assert_eq!(check(document), Ok(()), "{document}");
        }
        let bad = [
            (r#"{"a":1,"":2}"#, r#"the name "" of a field at column 8 is empty"#),
            (r#"{" ":2}"#, r#"the name " " of a field at column 2 is white space alone"#),
            (r#"{"a.":2}"#, r#"the name "a." of a field at column 2 ends with a dot"#),
            (r#"{"o":[{"x. ":2}]}"#, r#"the name "x. " of a field at column 8 ends with a dot"#),
            (r#"{".x":2}"#, r#"the name ".x" of a field at column 2 begins with a dot"#),
            (r#"{"..":2}"#, r#"the name ".." of a field at column 2 is dots alone"#),
            (r#"{"a..b":2}"#, r#"the name "a..b" of a field at column 2 has nothing between two dots"#),
            (r#"{"a\u002e":2}"#, r#"the name "a\u002e" of a field at column 2 ends with a dot"#),
            (r#"{"a":1,"a":1}"#, "the field a stands twice in one object"),
            (r#"{"a":1,"\u0061":1}"#, "the field a stands twice in one object"),
            (r#"{"o":[1,{"p":{"a":1,"b":2,"a":{}}}]}"#, "the field a stands twice in one object"),
            (r#"{"a":1,"a.b":null}"#, "the field a is a value, and by a.b an object as well"),
            (r#"{"a":1,"a.b":1}"#, "the field a is a value, and by a.b an object as well"),
            (r#"{"a.b.c":1,"a.b":"x"}"#, "the field a.b is a value, and by a.b.c an object as well"),
            (r#"{"_id":1}"#, "field _id is metadata, which is kept outside of documents"),
            (r#"{"_id.x":1}"#, "field _id is metadata, which is kept outside of documents"),
            (r#"{"x":{},"_source":{"a":1}}"#, "field _source is metadata, which is kept outside of documents"),
        ];
        for (document, reason) in bad {
            assert_eq!(check(document).unwrap_err(), reason, "{document}");
        }
        // Many names are compared in another way.
        let many = (0..40).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(check(&format!("{{{many}}}")), Ok(()));
        assert_eq!(check(&format!("{{\"f7\":0,{many}}}")).unwrap_err(), "the field f7 stands twice in one object");
    }

    #[test]
    fn members_that_are_taken_out_are_found() {
        let document = r#"{"_id":"a,}","x":{"_id":1},"_routing" : ["b"] ,"y":2,"_version":3}"#;
        let taken = METADATA.map(str::to_owned);
        let ranges = check_names(document, &taken).unwrap();
        let found: Vec<&str> = ranges.into_iter().map(|range| &document[range]).collect();
        assert_eq!(found, [r#""_id":"a,}""#, r#""_routing" : ["b"] "#, r#""_version":3"#]);
        assert!(check_names(r#"{"_id":1,"_id":2}"#, &taken).is_err());
    }
}
