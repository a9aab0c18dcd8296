//! Reads the answer to a bulk request: the number of documents that were written, and the failures
//! of the others.
//!
//! Most answers acknowledge every document, in one of a few wordings. Those are compared as bytes;
//! anything else is parsed. Items are paired with documents by position, so an answer with another
//! number of items is an error.

use es_core::ServerError;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The requested part of an answer: the rest repeats what was sent.
pub(crate) const FILTER: &str = "items.*.status,items.*.result,items.*.error";

/// The outcomes in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Documents that were new.
    pub created: u64,
    /// Documents that replaced or changed one.
    pub updated: u64,
    /// Documents that were already as they should be.
    pub unchanged: u64,
    /// Documents that were removed.
    pub deleted: u64,
    /// Documents that an ingest pipeline of the server dropped.
    pub dropped: u64,
    /// The others, by position.
    pub(crate) failures: Vec<Failure>,
}

impl Answer {
    /// The number of documents that were not written.
    pub fn failures(&self) -> usize {
        self.failures.len()
    }

    /// The number of documents with which the server is done.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.deleted + self.dropped
    }

    fn count(&mut self, written: Written) {
        match written {
            Written::Created => self.created += 1,
            Written::Updated => self.updated += 1,
            Written::Unchanged => self.unchanged += 1,
            Written::Deleted => self.deleted += 1,
            Written::Dropped => self.dropped += 1,
        }
    }
}

/// A document that was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its position in the request.
    pub(crate) position: usize,
    pub(crate) action: ActionKind,
    pub(crate) status: u16,
    pub(crate) error: ServerError,
}

/// The key of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionKind {
    Index,
    Create,
    Update,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Created,
    Updated,
    Unchanged,
    Deleted,
    Dropped,
}

/// The items of documents that were written, as Elasticsearch words them with [`FILTER`].
const WORDINGS: [(&[u8], Written); 8] = [
    (br#"{"index":{"result":"created","status":201}}"#, Written::Created),
    (br#"{"index":{"result":"updated","status":200}}"#, Written::Updated),
    (br#"{"create":{"result":"created","status":201}}"#, Written::Created),
    (br#"{"update":{"result":"updated","status":200}}"#, Written::Updated),
    (br#"{"update":{"result":"noop","status":200}}"#, Written::Unchanged),
    (br#"{"update":{"result":"created","status":201}}"#, Written::Created),
    (br#"{"delete":{"result":"deleted","status":200}}"#, Written::Deleted),
    (br#"{"delete":{"result":"not_found","status":404}}"#, Written::Unchanged),
];

/// Reads the answer to a request of this many documents.
///
/// # Errors
/// A message, when the answer cannot be read or is for another number of documents.
pub fn read(body: &[u8], documents: usize) -> Result<Answer, String> {
    let (answer, items) = match read_usual(body) {
        Some(read) => read,
        None => read_any(body).map_err(|error| format!("the answer to a bulk request cannot be read: {error}"))?,
    };
    if items != documents {
        return Err(format!("a bulk request of {documents} documents was answered with {items} items"));
    }
    Ok(answer)
}

/// Reads an answer that is all success in the usual wordings, and nothing else.
fn read_usual(body: &[u8]) -> Option<(Answer, usize)> {
    let mut rest = body.strip_prefix(br#"{"items":["#)?;
    let (mut answer, mut items) = (Answer::default(), 0);
    // Documents of one kind follow each other.
    let (mut wording, mut written) = WORDINGS[0];
    loop {
        let after = match rest.strip_prefix(wording) {
            Some(after) => after,
            None => {
                let found = WORDINGS
                    .iter()
                    .find_map(|(wording, written)| Some((*wording, *written, rest.strip_prefix(*wording)?)));
                let after;
                (wording, written, after) = found?;
                after
            }
        };
        answer.count(written);
        items += 1;
        match after.split_first()? {
            (b',', next) => rest = next,
            (b']', end) => return (end.trim_ascii() == b"}").then_some((answer, items)),
            _ => return None,
        }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

/// The single key is the action: every action's result has the same form.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item<'a> {
    #[serde(borrow)]
    Index(ItemResult<'a>),
    #[serde(borrow)]
    Create(ItemResult<'a>),
    #[serde(borrow)]
    Update(ItemResult<'a>),
    #[serde(borrow)]
    Delete(ItemResult<'a>),
}

#[derive(Deserialize)]
struct ItemResult<'a> {
    status: u16,
    #[serde(default)]
    result: ResultWord,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultWord {
    Created,
    Updated,
    Deleted,
    Noop,
    NotFound,
    #[default]
    #[serde(other)]
    Other,
}

fn read_any(body: &[u8]) -> Result<(Answer, usize), serde_json::Error> {
    let body: Body<'_> = serde_json::from_slice(body)?;
    let mut answer = Answer::default();
    let items = body.items.len();
    for (position, item) in body.items.into_iter().enumerate() {
        let (action, result) = match item {
            Item::Index(result) => (ActionKind::Index, result),
            Item::Create(result) => (ActionKind::Create, result),
            Item::Update(result) => (ActionKind::Update, result),
            Item::Delete(result) => (ActionKind::Delete, result),
        };
        match written(action, &result) {
            Some(written) => answer.count(written),
            None => {
                let error = result.error.and_then(|error| serde_json::from_str::<Value>(error.get()).ok());
                let error = error.as_ref().and_then(ServerError::from_value).unwrap_or_default();
                answer.failures.push(Failure { position, action, status: result.status, error });
            }
        }
    }
    Ok((answer, items))
}

fn written(action: ActionKind, item: &ItemResult<'_>) -> Option<Written> {
    match (item.status, item.result) {
        _ if item.error.is_some() => None,
        (200..=299, ResultWord::Created) => Some(Written::Created),
        // A whole document is always written, unless a `drop` processor keeps it from that.
        (200..=299, ResultWord::Noop) if matches!(action, ActionKind::Index | ActionKind::Create) => {
            Some(Written::Dropped)
        }
        (200..=299, ResultWord::Noop) => Some(Written::Unchanged),
        (200..=299, ResultWord::Deleted) => Some(Written::Deleted),
        (200..=299, _) if action == ActionKind::Delete => Some(Written::Deleted),
        (200..=299, _) => Some(Written::Updated),
        // What is not there need not be removed.
        (404, ResultWord::NotFound) if action == ActionKind::Delete => Some(Written::Unchanged),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
