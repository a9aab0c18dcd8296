//! Refusing some of the documents of a bulk request, as a node without room for them does.
//!
//! The node gets the request without them, so it applies the others and those alone; in the reply
//! the refused ones stand at their places. Which ones are refused depends on a seed and on
//! nothing else.

use std::io;

use serde_json::{Value, json};

/// A bulk request that is taken apart.
pub(super) struct Split {
    /// The body without the refused documents; empty when all are.
    pub(super) forwarded: Vec<u8>,
    /// For each document of the request its refusal, or `None` where the node decides.
    refusals: Vec<Option<Value>>,
}

impl Split {
    /// The number of documents that the node gets.
    pub(super) fn forwarded_items(&self) -> u64 {
        self.refusals.iter().filter(|refusal| refusal.is_none()).count() as u64
    }

    /// The number of documents that it does not get.
    pub(super) fn refused_items(&self) -> u64 {
        self.refusals.len() as u64 - self.forwarded_items()
    }

    /// The body of the reply to the whole request, from that to the forwarded part.
    pub(super) fn merge(self, reply: &[u8]) -> io::Result<Vec<u8>> {
        let mut reply: Value = serde_json::from_slice(reply)?;
        let any_refused = self.refused_items() > 0;
        let Some(Value::Array(answered)) = reply.get_mut("items").map(Value::take) else {
            return Err(io::Error::other("a bulk reply without items"));
        };
        let mut answered = answered.into_iter();
        let items: Option<Vec<Value>> =
            self.refusals.into_iter().map(|refusal| refusal.or_else(|| answered.next())).collect();
        let items = items.ok_or_else(|| io::Error::other("a bulk reply with too few items"))?;
        reply["items"] = Value::Array(items);
        if any_refused && let Some(errors) = reply.get_mut("errors") {
            *errors = Value::Bool(true);
        }
        Ok(serde_json::to_vec(&reply)?)
    }

    /// The body of the reply when the node got nothing.
    pub(super) fn without_node(self) -> io::Result<Vec<u8>> {
        self.merge(br#"{"errors":true,"took":0,"items":[]}"#)
    }
}

/// Takes this share of the documents, rounded down, out of a bulk body.
pub(super) fn split(body: &[u8], percent: u8, seed: u64) -> io::Result<Split> {
    let documents = documents(body)?;
    let refused = chosen(documents.len(), documents.len() * usize::from(percent.min(100)) / 100, seed);
    let mut split = Split { forwarded: Vec::new(), refusals: Vec::with_capacity(documents.len()) };
    for (document, refused) in documents.into_iter().zip(refused) {
        if refused {
            split.refusals.push(Some(document.refusal()?));
        } else {
            split.forwarded.extend_from_slice(document.lines);
            split.refusals.push(None);
        }
    }
    Ok(split)
}

/// One document of a bulk body.
struct Document<'a> {
    action: Value,
    /// The action line and, but for a deletion, the source line.
    lines: &'a [u8],
}

impl Document<'_> {
    fn refusal(&self) -> io::Result<Value> {
        let (operation, metadata) = self.action.as_object().and_then(|action| action.iter().next()).ok_or_else(odd)?;
        let error = json!({
            "type": "es_rejected_execution_exception",
            "reason": "the fault proxy has no room for this document",
        });
        let mut item = json!({ "status": 429, "error": error });
        if let Some(id) = metadata.get("_id") {
            item["_id"] = id.clone();
        }
        Ok(json!({ operation: item }))
    }
}

fn documents(body: &[u8]) -> io::Result<Vec<Document<'_>>> {
    let mut documents = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (action_line, _) = line(rest)?;
        let action: Value = serde_json::from_slice(action_line)?;
        let length = match action.get("delete") {
            Some(_) => action_line.len(),
            None => action_line.len() + line(&rest[action_line.len()..])?.0.len(),
        };
        let (lines, after) = rest.split_at(length);
        documents.push(Document { action, lines });
        rest = after;
    }
    Ok(documents)
}

/// The first line with its line break, and what comes after it.
fn line(text: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(odd)?;
    Ok(text.split_at(end + 1))
}

fn odd() -> io::Error {
    io::Error::other("this is not the body of a bulk request")
}

/// Chooses `count` of `total` places, by a shuffle that a seed decides.
fn chosen(total: usize, count: usize, seed: u64) -> Vec<bool> {
    let mut places: Vec<usize> = (0..total).collect();
    let mut state = seed;
    let mut chosen = vec![false; total];
    for place in 0..count {
        let left = (total - place) as u64;
        // Far fewer places than random numbers, so that the remainder favours none.
        let other = place + usize::try_from(random(&mut state) % left).unwrap_or(0);
        places.swap(place, other);
        chosen[places[place]] = true;
    }
    chosen
}

/// The generator SplitMix64 of Steele, Lea and Flood (2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        b"{\"index\":{\"_id\":\"a\"}}\n{\"n\":1}\n{\"delete\":{\"_id\":\"b\"}}\n{\"create\":{}}\n{\"n\":3}\n";

    #[test]
    fn the_refused_stand_at_their_places() {
        for seed in 0..50 {
            let split = split(BODY, 60, seed).unwrap();
            // A share of three documents, rounded down.
            assert_eq!((split.forwarded_items(), split.refused_items()), (2, 1));
            let forwarded = String::from_utf8(split.forwarded.clone()).unwrap();
            let places: Vec<bool> = split.refusals.iter().map(Option::is_some).collect();
            let parts = [
                "{\"index\":{\"_id\":\"a\"}}\n{\"n\":1}\n",
                "{\"delete\":{\"_id\":\"b\"}}\n",
                "{\"create\":{}}\n{\"n\":3}\n",
            ];
            let kept = parts.iter().zip(&places).filter(|(_, refused)| !**refused).map(|(part, _)| *part);
            assert_eq!(forwarded, kept.collect::<String>());
            let reply = split.merge(br#"{"errors":false,"items":[{"x":1},{"x":2}]}"#).unwrap();
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            assert_eq!(reply["errors"], true);
            let mut answered = 0;
            for (item, refused) in reply["items"].as_array().unwrap().iter().zip(places) {
                if refused {
                    assert_eq!(item.as_object().unwrap().values().next().unwrap()["status"], 429);
                } else {
                    answered += 1;
                    assert_eq!(item["x"], answered);
                }
            }
        }
    }

    #[test]
    fn all_or_none_may_be_refused() {
        let all = split(BODY, 100, 1).unwrap();
        assert!(all.forwarded.is_empty());
        let reply: Value = serde_json::from_slice(&all.without_node().unwrap()).unwrap();
        assert_eq!(reply["items"][0]["index"]["_id"], "a");
        assert_eq!(reply["items"][1]["delete"]["status"], 429);
        let none = split(BODY, 0, 1).unwrap();
        assert_eq!(none.forwarded, BODY);
        let reply = none.merge(br#"{"items":[1,2,3]}"#).unwrap();
        assert_eq!(reply, br#"{"items":[1,2,3]}"#);
    }

    #[test]
    fn what_is_no_bulk_exchange_is_an_error() {
        for body in [&b"{\"index\":{}}\n"[..], b"{\"index\":{}}", b"no json\n{}\n"] {
            assert!(split(body, 60, 1).is_err());
        }
        for reply in [&b"{}"[..], b"{\"items\":[1]}", b"{"] {
            assert!(split(BODY, 0, 1).unwrap().merge(reply).is_err());
        }
    }
}
