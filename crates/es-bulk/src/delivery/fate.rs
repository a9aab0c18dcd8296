//! What is to be done with documents that were not written: pure, by what the server said.

use es_core::{ErrorKind, ServerError};

use super::answer::{ActionKind, Failure};

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: it is there already as it should be.
    Unchanged,
    /// It is sent again after a while.
    Again,
    /// It is sent again in a smaller request.
    Smaller,
    /// It is refused for good.
    Rejected,
    /// It may have been written, and sending it again could write it twice.
    Unknown,
}

/// What is to be done with a whole request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is sent again after a while.
    Again,
    /// It is sent again in two halves.
    Halves,
    /// Its one document is refused for good.
    Rejected,
    /// Nobody knows what became of its documents, and sending them again is no way to find out.
    Unknown,
}

/// Failures of one item that pass, and that came before anything was written.
const PASSING: [&str; 7] = [
    "es_rejected_execution_exception",
    "unavailable_shards_exception",
    "no_shard_available_action_exception",
    "process_cluster_event_timeout_exception",
    "master_not_discovered_exception",
    "shard_not_in_primary_mode_exception",
    "index_primary_shard_not_allocated_exception",
];

/// Failures between two nodes: the document may have been written before.
const BETWEEN_NODES: [&str; 6] = [
    "node_disconnected_exception",
    "node_not_connected_exception",
    "node_closed_exception",
    "connect_transport_exception",
    "receive_timeout_transport_exception",
    "index_shard_closed_exception",
];

/// Decides on a document by its item. `action` is its action line; `has_ids` says that sending
/// it twice is harmless.
pub(crate) fn of_item(failure: &Failure, action: &[u8], has_ids: bool) -> Fate {
    let error = &failure.error;
    match failure.status {
        409 if failure.action == ActionKind::Create => Fate::Unchanged,
        // A newer version is there.
        409 if mentions(action, br#""version_type":"external"#) => Fate::Unchanged,
        // Somebody else changed the document between its being read and written by the server.
        409 if failure.action == ActionKind::Update && !mentions(action, br#""if_seq_no""#) => Fate::Again,
        429 if is_too_large(error) => Fate::Smaller,
        429 | 503 => Fate::Again,
        _ if PASSING.contains(&error.error_type.as_str()) => Fate::Again,
        _ if BETWEEN_NODES.contains(&error.error_type.as_str()) => match has_ids {
            true => Fate::Again,
            false => Fate::Unknown,
        },
        _ => Fate::Rejected,
    }
}

/// Decides on a whole request by its failure.
pub(crate) fn of_request(error: &es_core::Error, documents: usize, has_ids: bool) -> Verdict {
    match error.kind() {
        ErrorKind::TooLarge if documents > 1 => Verdict::Halves,
        ErrorKind::TooLarge => Verdict::Rejected,
        ErrorKind::Overloaded if error.server().is_some_and(is_too_large) => match documents > 1 {
            true => Verdict::Halves,
            false => Verdict::Rejected,
        },
        // Nothing was sent, or the server refused it before it did anything.
        ErrorKind::Connect | ErrorKind::Overloaded => Verdict::Again,
        ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::Unavailable if has_ids => Verdict::Again,
        // It was written, and the answer of half as many documents is half as long.
        ErrorKind::AnswerTooLarge if has_ids && documents > 1 => Verdict::Halves,
        _ => Verdict::Unknown,
    }
}

/// Whether waiting does not help, but asking for less at once may: a circuit breaker that is
/// open for what stays in memory, or a request that is larger than all the memory for requests.
fn is_too_large(error: &ServerError) -> bool {
    match error.error_type.as_str() {
        "circuit_breaking_exception" => error.durability.as_deref() == Some("PERMANENT"),
        "es_rejected_execution_exception" => exceeds_the_pressure_limit(&error.reason),
        _ => false,
    }
}

/// Whether a refusal for indexing pressure is one of an operation that is larger than the limit
/// by itself. The reason lists `coordinating_operation_bytes=N` or `primary_operation_bytes=N`,
/// and limits as `max_...bytes=N`.
fn exceeds_the_pressure_limit(reason: &str) -> bool {
    let (mut operation, mut limit) = (None, None);
    let pairs = reason.split(['[', ']', ',', ' ']).filter_map(|part| part.split_once('='));
    for (name, number) in pairs {
        let Ok(number) = number.parse::<u64>() else { continue };
        if name.starts_with("max_") && name.ends_with("bytes") {
            limit = Some(limit.map_or(number, |least: u64| least.min(number)));
        } else if name.ends_with("_operation_bytes") {
            operation = Some(number);
        }
    }
    matches!((operation, limit), (Some(operation), Some(limit)) if limit > 0 && operation > limit)
}

/// Whether an action line has these bytes. In a text of the line, quotation marks are escaped,
/// so bytes that begin with one and have more are no text.
fn mentions(action: &[u8], needle: &[u8]) -> bool {
    action.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(error_type: &str, reason: &str) -> ServerError {
        ServerError { error_type: error_type.to_owned(), reason: reason.to_owned(), ..ServerError::default() }
    }

    #[test]
    fn each_failure_of_an_item_has_its_fate() {
        use ActionKind::*;
        let plain = r#"{"index":{"_id":"1"}}"#;
        let external = r#"{"index":{"_id":"1","version":3,"version_type":"external_gte"}}"#;
        let disguised = r#"{"index":{"_id":"\"version_type\":\"external"}}"#;
        let guarded = r#"{"update":{"_id":"1","if_seq_no":1,"if_primary_term":1}}"#;
        let conflict = "version_conflict_engine_exception";
        let table = [
            (Create, 409, conflict, plain, Fate::Unchanged, Fate::Unchanged),
            (Index, 409, conflict, plain, Fate::Rejected, Fate::Rejected),
            (Index, 409, conflict, external, Fate::Unchanged, Fate::Unchanged),
            (Delete, 409, conflict, external, Fate::Unchanged, Fate::Unchanged),
            (Index, 409, conflict, disguised, Fate::Rejected, Fate::Rejected),
            (Update, 409, conflict, plain, Fate::Again, Fate::Again),
            (Update, 409, conflict, guarded, Fate::Rejected, Fate::Rejected),
            (Update, 404, "document_missing_exception", plain, Fate::Rejected, Fate::Rejected),
            (Delete, 404, "index_not_found_exception", plain, Fate::Rejected, Fate::Rejected),
            (Index, 429, "es_rejected_execution_exception", plain, Fate::Again, Fate::Again),
            (Index, 429, "circuit_breaking_exception", plain, Fate::Again, Fate::Again),
            (Index, 429, "cluster_block_exception", plain, Fate::Again, Fate::Again),
            (Index, 403, "cluster_block_exception", plain, Fate::Rejected, Fate::Rejected),
            (Index, 503, "unavailable_shards_exception", plain, Fate::Again, Fate::Again),
            (Index, 500, "process_cluster_event_timeout_exception", plain, Fate::Again, Fate::Again),
            (Index, 500, "node_disconnected_exception", plain, Fate::Again, Fate::Unknown),
            (Index, 500, "null_pointer_exception", plain, Fate::Rejected, Fate::Rejected),
            (Index, 400, "document_parsing_exception", plain, Fate::Rejected, Fate::Rejected),
        ];
        for (action, status, error_type, line, with_ids, without) in table {
            let failure = Failure { position: 0, action, status, error: error(error_type, "") };
            assert_eq!(of_item(&failure, line.as_bytes(), true), with_ids, "{action:?} {status} {error_type} {line}");
            assert_eq!(of_item(&failure, line.as_bytes(), false), without, "{action:?} {status} {error_type} {line}");
        }
        let permanent =
            ServerError { durability: Some("PERMANENT".to_owned()), ..error("circuit_breaking_exception", "") };
        let failure = Failure { position: 0, action: Index, status: 429, error: permanent };
        assert_eq!(of_item(&failure, plain.as_bytes(), false), Fate::Smaller);
    }

    #[test]
    fn each_failure_of_a_request_has_its_verdict() {
        use ErrorKind::*;
        let table = [
            // Kind, many with ids, one with id, many without, one without.
            (TooLarge, [Verdict::Halves, Verdict::Rejected, Verdict::Halves, Verdict::Rejected]),
            (Connect, [Verdict::Again; 4]),
            (Overloaded, [Verdict::Again; 4]),
            (Interrupted, [Verdict::Again, Verdict::Again, Verdict::Unknown, Verdict::Unknown]),
            (TimedOut, [Verdict::Again, Verdict::Again, Verdict::Unknown, Verdict::Unknown]),
            (Unavailable, [Verdict::Again, Verdict::Again, Verdict::Unknown, Verdict::Unknown]),
            (AnswerTooLarge, [Verdict::Halves, Verdict::Unknown, Verdict::Unknown, Verdict::Unknown]),
            (Server, [Verdict::Unknown; 4]),
            (Forbidden, [Verdict::Unknown; 4]),
            (BadRequest, [Verdict::Unknown; 4]),
        ];
        for (kind, expected) in table {
            let error = es_core::Error::new(kind, "x");
            let found = [(2, true), (1, true), (2, false), (1, false)].map(|(many, ids)| of_request(&error, many, ids));
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn a_request_larger_than_the_memory_for_requests_is_told_from_one_too_many() {
        let reason = |operation: u64, limit: u64| {
            format!(
                "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, \
                 all_bytes=0, coordinating_operation_bytes={operation}, max_coordinating_and_primary_bytes={limit}]"
            )
        };
        let table = [
            (reason(61_790_813, 53_687_091), true),
            (reason(1_000, 53_687_091), false),
            (reason(0, 0), false),
            (
                "rejected execution of primary operation [primary_operation_bytes=9, max_primary_bytes=8]".to_owned(),
                true,
            ),
            ("rejected execution of TimedRunnable on EsThreadPoolExecutor[queue capacity = 10000]".to_owned(), false),
            ("coordinating_operation_bytes=x, max_coordinating_bytes=".to_owned(), false),
        ];
        for (reason, expected) in table {
            assert_eq!(is_too_large(&error("es_rejected_execution_exception", &reason)), expected, "{reason}");
            assert!(!is_too_large(&error("something_else", &reason)));
        }
    }
}
