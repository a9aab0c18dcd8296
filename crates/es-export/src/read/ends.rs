//! The beginning and the end of a page's bytes, from which the next page can be asked for before
//! this one is decoded. Pure. Where the bytes are not as expected there is nothing, and the
//! decoder tells in its time.

use memchr::memmem;
use serde_json::value::RawValue;

/// The id that a page begins with: `pit_id` of a point in time.
pub(crate) fn point_in_time_id(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(b"{\"pit_id\":\"")?;
    let id = &rest[..memchr::memchr(b'"', rest)?];
    // Ids are base64; anything else is left to a parser.
    if id.contains(&b'\\') {
        return None;
    }
    std::str::from_utf8(id).ok()
}

/// The `sort` values of the last hit, as they were written. Inside a string quotes are escaped,
/// and in a hit `sort` stands after the document.
pub(crate) fn last_sort(body: &[u8]) -> Option<Box<RawValue>> {
    const KEY: &[u8] = b"\"sort\":";
    let at = memmem::rfind(body, KEY)? + KEY.len();
    let mut values = serde_json::Deserializer::from_slice(&body[at..]).into_iter::<Box<RawValue>>();
    let sort = values.next()?.ok()?;
    let rest = &body[at + values.byte_offset()..];
    (sort.get().starts_with('[') && rest == b"}]}}").then_some(sort)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn sort_of(body: &str) -> Option<String> {
        last_sort(body.as_bytes()).map(|sort| sort.get().to_owned())
    }

    #[test]
    fn the_last_hit_says_where_the_next_page_begins() {
        let page = r#"{"pit_id":"abc==","took":1,"hits":{"hits":[{"_id":"1","sort":[1]},{"_id":"2","_source":{"sort":[7]},"sort":[18446744073709551615,null,1.10]}]}}"#;
        assert_eq!(sort_of(page).as_deref(), Some("[18446744073709551615,null,1.10]"));
        assert_eq!(point_in_time_id(page.as_bytes()), Some("abc=="));
        let in_text = r#"{"hits":{"hits":[{"_source":{"t":"\"sort\":[1]}]}}"},"sort":["\"sort\":[2]"]}]}}"#;
        assert_eq!(sort_of(in_text).as_deref(), Some(r#"["\"sort\":[2]"]"#));
        let none = [
            r#"{"hits":{"hits":[]}}"#,
            r#"{"hits":{"hits":[{"_source":{"sort":[7]}}]}}"#,
            r#"{"hits":{"hits":[{"sort":[7]"#,
            r#"{"hits":{"hits":[{"sort":[7]}]}}x"#,
            r#"{"hits":{"hits":[{"_source":{"hits":[{"sort":{"a":1}}]}}"#,
            "",
        ];
        for body in none {
            assert_eq!(sort_of(body), None, "{body}");
        }
        assert_eq!(point_in_time_id(br#"{"pit_id":"a\u0062"}"#), None);
        assert_eq!(point_in_time_id(br#"{"pit_id":"a"#), None);
    }

    proptest! {
        #[test]
        fn any_document_may_stand_before_it(text in "\\PC*", key in "[\"a-z:\\[\\]{}\\\\]{0,8}", number: u64) {
            let hit = |n: u64| json!({"_id": text, "_source": {&key: [&text], "sort": [&text]}, "sort": [n, &text]});
            let body = json!({"hits": {"hits": [hit(1), hit(number)]}}).to_string();
            let found: Value = serde_json::from_str(&sort_of(&body).unwrap()).unwrap();
            prop_assert_eq!(found, json!([number, text]));
        }

        #[test]
        fn any_bytes_are_read_or_not(bytes: Vec<u8>) {
            let _ = (last_sort(&bytes), point_in_time_id(&bytes));
        }
    }
}
