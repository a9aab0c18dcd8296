//! What became of each document of a bulk request, read from the answer.

use es_core::ServerError;
use serde::Deserialize;
use serde_json::Value;

/// A document that Elasticsearch refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The number of the document within the load, from 0.
    pub number: u64,
    /// The HTTP status of the item.
    pub status: u16,
    /// The exception's type.
    pub error_type: String,
    /// The reason in the server's words.
    pub reason: String,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Updated,
    /// It is there already with this content.
    Unchanged,
    /// It may be sent again.
    Later,
    Rejected {
        status: u16,
        error: ServerError,
    },
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

/// The single key is the action: every action's result has the same form.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item {
    Index(ItemResult),
    Create(ItemResult),
    Update(ItemResult),
    Delete(ItemResult),
}

#[derive(Deserialize)]
struct ItemResult {
    status: u16,
    #[serde(default)]
    result: String,
    error: Option<Value>,
}

/// Reads an answer. Items are paired with documents by position, so their number must be
/// the same.
pub(crate) fn read(body: &[u8], documents: usize) -> Result<Vec<Outcome>, String> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| format!("the answer to a bulk request cannot be read: {error}"))?;
    if answer.items.len() != documents {
        return Err(format!("a bulk request of {documents} documents was answered with {} items", answer.items.len()));
    }
    Ok(answer.items.into_iter().map(outcome).collect())
}

fn outcome(item: Item) -> Outcome {
    let (result, is_create) = match item {
        Item::Create(result) => (result, true),
        Item::Index(result) | Item::Update(result) | Item::Delete(result) => (result, false),
    };
    match result.status {
        200..=299 => match result.result.as_str() {
            "created" => Outcome::Created,
            "noop" => Outcome::Unchanged,
            _ => Outcome::Updated,
        },
        429 | 503 => Outcome::Later,
        409 if is_create => Outcome::Unchanged,
        status => {
            let error = result.error.as_ref().and_then(ServerError::from_value).unwrap_or_default();
            Outcome::Rejected { status, error }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_told_apart() {
        let body = json!({"errors": true, "items": [
            {"index": {"status": 201, "result": "created"}},
            {"index": {"status": 200, "result": "updated"}},
            {"update": {"status": 200, "result": "noop"}},
            {"create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "exists"}}},
            {"index": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "newer"}}},
            {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}},
            {"index": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "gone"}}},
            {"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "bad",
                "caused_by": {"type": "number_format_exception", "reason": "For input string"}}}}
        ]});
        let found = read(body.to_string().as_bytes(), 8).unwrap();
        use Outcome::*;
        assert_eq!(found[..4], [Created, Updated, Unchanged, Unchanged]);
        assert!(matches!(&found[4], Rejected { status: 409, .. }));
        assert_eq!(found[5..7], [Later, Later]);
        let Rejected { status: 400, error } = &found[7] else { panic!("{:?}", found[7]) };
        assert_eq!(error.summary(), "bad: For input string");
    }

    #[test]
    fn an_answer_that_does_not_pair_up_is_an_error() {
        let one = json!({"items": [{"index": {"status": 201, "result": "created"}}]}).to_string();
        assert!(read(one.as_bytes(), 2).unwrap_err().contains("2 documents was answered with 1 items"));
        for cut in 0..one.len() {
            read(&one.as_bytes()[..cut], 1).unwrap_err();
        }
    }
}
