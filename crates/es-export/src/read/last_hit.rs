//! The end of a page's bytes, from which the next page can be requested before this one is decoded.
//! Pure. Bytes of another form give nothing, and the decoder reports them.

use memchr::memmem;
use serde_json::value::RawValue;

/// The `sort` values of the last hit, as they were written. Quotes inside of strings are escaped,
/// and in a hit `sort` follows the document.
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
    fn the_last_hit_gives_the_start_of_the_next_page() {
        let page = r#"{"pit_id":"abc==","took":1,"hits":{"hits":[{"_id":"1","sort":[1]},{"_id":"2","_source":{"sort":[7]},"sort":[18446744073709551615,null,1.10]}]}}"#;
        assert_eq!(sort_of(page).as_deref(), Some("[18446744073709551615,null,1.10]"));
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
        fn a_page_cut_short_has_no_last_hit(cut in 1..60_usize, number: u64) {
            let hit = |n: u64| json!({"_id": "a", "_source": {"sort": [n]}, "sort": [n, "a"]});
            let body = json!({"hits": {"hits": [hit(1), hit(number)]}}).to_string();
            prop_assert_eq!(last_sort(&body.as_bytes()[..body.len() - cut]).map(|sort| sort.get().to_owned()), None);
        }
    }
}
