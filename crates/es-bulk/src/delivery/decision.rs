//! Decides what happens to documents that were not written, by the server's answer alone.

use es_core::{ErrorKind, ServerError};

use super::answer::{ActionKind, Failure};

/// The next step for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemAction {
    /// None: it is already there as it should be.
    Unchanged,
    /// Send it again after a wait.
    Retry,
    /// Send it again in a smaller request.
    Split,
    /// Reject it.
    Reject,
    /// Report it as unknown: it may have been written, and sending it again could write it twice.
    Unknown,
    /// Fail the load: the refusal concerns the index, and every other document would get it too.
    FailLoad,
}

/// The next step for a whole request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestAction {
    /// Send it again after a wait.
    Retry,
    /// Send it again in two halves.
    Split,
    /// Reject its one document.
    Reject,
    /// Report its documents as unknown, as sending them again could write them twice.
    Unknown,
    /// Fail the load: the request was refused before anything was written, for a reason that
    /// sending it again does not remove.
    FailLoad,
}

/// Refusals of the index and not of a document.
const INDEX_REFUSALS: [&str; 5] = [
    "cluster_block_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "invalid_index_name_exception",
    "security_exception",
];

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

/// Tells whether an item was refused for a reason that concerns its index.
pub(crate) fn concerns_the_index(failure: &Failure) -> bool {
    INDEX_REFUSALS.contains(&failure.error.error_type.as_str())
}

/// Decides on a document by its item. `action` is its action line; with `has_ids`, sending it
/// twice is harmless.
pub(crate) fn of_item(failure: &Failure, action: &[u8], has_ids: bool) -> ItemAction {
    let error = &failure.error;
    match failure.status {
        409 if failure.action == ActionKind::Create => ItemAction::Unchanged,
        // A newer version is there.
        409 if mentions(action, br#""version_type":"external"#) => ItemAction::Unchanged,
        // Another client changed the document between its being read and written by the server.
        409 if failure.action == ActionKind::Update && !mentions(action, br#""if_seq_no""#) => ItemAction::Retry,
        429 if is_too_large(error) => ItemAction::Split,
        429 | 503 => ItemAction::Retry,
        _ if PASSING.contains(&error.error_type.as_str()) => ItemAction::Retry,
        _ if BETWEEN_NODES.contains(&error.error_type.as_str()) => match has_ids {
            true => ItemAction::Retry,
            false => ItemAction::Unknown,
        },
        _ if concerns_the_index(failure) => ItemAction::FailLoad,
        _ => ItemAction::Reject,
    }
}

/// Decides on a whole request by its failure.
pub(crate) fn of_request(error: &es_core::Error, documents: usize, has_ids: bool) -> RequestAction {
    match error.kind() {
        ErrorKind::TooLarge if documents > 1 => RequestAction::Split,
        ErrorKind::TooLarge => RequestAction::Reject,
        ErrorKind::Overloaded if error.server().is_some_and(is_too_large) => match documents > 1 {
            true => RequestAction::Split,
            false => RequestAction::Reject,
        },
        // Nothing was sent, or the server refused it before it did anything.
        ErrorKind::Connect | ErrorKind::Overloaded => RequestAction::Retry,
        ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::Unavailable if has_ids => RequestAction::Retry,
        // It was written, and the answer of half as many documents is half as long.
        ErrorKind::AnswerTooLarge if has_ids && documents > 1 => RequestAction::Split,
        // Refused before anything was written, unlike a body that cannot be parsed to its end.
        ErrorKind::BadRequest | ErrorKind::Forbidden | ErrorKind::NotFound
            if error.server().is_some_and(|server| INDEX_REFUSALS.contains(&server.error_type.as_str())) =>
        {
            RequestAction::FailLoad
        }
        _ => RequestAction::Unknown,
    }
}

/// Tells whether a smaller request may help where waiting does not: a circuit breaker that is
/// open for what stays in memory, or a request that is larger than all the memory for requests.
fn is_too_large(error: &ServerError) -> bool {
    match error.error_type.as_str() {
        "circuit_breaking_exception" => error.durability.as_deref() == Some("PERMANENT"),
        "es_rejected_execution_exception" => exceeds_the_pressure_limit(&error.reason),
        _ => false,
    }
}

/// Tells whether indexing pressure refused an operation that exceeds the limit by itself. The reason lists `coordinating_operation_bytes=N` or `primary_operation_bytes=N`,
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

/// Tells whether an action line has these bytes. In a text of the line, quotation marks are escaped,
/// so bytes that begin with one and have more cannot be text.
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
    fn each_failure_of_an_item_has_its_action() {
        use ActionKind::*;
        let plain = r#"{"index":{"_id":"1"}}"#;
        let external = r#"{"index":{"_id":"1","version":3,"version_type":"external_gte"}}"#;
        let disguised = r#"{"index":{"_id":"\"version_type\":\"external"}}"#;
        let guarded = r#"{"update":{"_id":"1","if_seq_no":1,"if_primary_term":1}}"#;
        let conflict = "version_conflict_engine_exception";
        let table = [
            (Create, 409, conflict, plain, ItemAction::Unchanged, ItemAction::Unchanged),
            (Index, 409, conflict, plain, ItemAction::Reject, ItemAction::Reject),
            (Index, 409, conflict, external, ItemAction::Unchanged, ItemAction::Unchanged),
            (Delete, 409, conflict, external, ItemAction::Unchanged, ItemAction::Unchanged),
            (Index, 409, conflict, disguised, ItemAction::Reject, ItemAction::Reject),
            (Update, 409, conflict, plain, ItemAction::Retry, ItemAction::Retry),
            (Update, 409, conflict, guarded, ItemAction::Reject, ItemAction::Reject),
            (Update, 404, "document_missing_exception", plain, ItemAction::Reject, ItemAction::Reject),
            (Delete, 404, "index_not_found_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Index, 404, "index_not_found_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Index, 400, "invalid_index_name_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Create, 400, "index_closed_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Index, 403, "security_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Index, 429, "es_rejected_execution_exception", plain, ItemAction::Retry, ItemAction::Retry),
            (Index, 429, "circuit_breaking_exception", plain, ItemAction::Retry, ItemAction::Retry),
            (Index, 429, "cluster_block_exception", plain, ItemAction::Retry, ItemAction::Retry),
            (Index, 403, "cluster_block_exception", plain, ItemAction::FailLoad, ItemAction::FailLoad),
            (Index, 503, "unavailable_shards_exception", plain, ItemAction::Retry, ItemAction::Retry),
            (Index, 500, "process_cluster_event_timeout_exception", plain, ItemAction::Retry, ItemAction::Retry),
            (Index, 500, "node_disconnected_exception", plain, ItemAction::Retry, ItemAction::Unknown),
            (Index, 500, "null_pointer_exception", plain, ItemAction::Reject, ItemAction::Reject),
            (Index, 400, "document_parsing_exception", plain, ItemAction::Reject, ItemAction::Reject),
        ];
        for (action, status, error_type, line, with_ids, without) in table {
            let failure = Failure { position: 0, action, status, error: error(error_type, "") };
            assert_eq!(of_item(&failure, line.as_bytes(), true), with_ids, "{action:?} {status} {error_type} {line}");
            assert_eq!(of_item(&failure, line.as_bytes(), false), without, "{action:?} {status} {error_type} {line}");
        }
        let permanent =
            ServerError { durability: Some("PERMANENT".to_owned()), ..error("circuit_breaking_exception", "") };
        let failure = Failure { position: 0, action: Index, status: 429, error: permanent };
        assert_eq!(of_item(&failure, plain.as_bytes(), false), ItemAction::Split);
    }

    #[test]
    fn each_failure_of_a_request_has_its_action() {
        use ErrorKind::*;
        let table = [
            // Kind, many with ids, one with id, many without, one without.
            (TooLarge, [RequestAction::Split, RequestAction::Reject, RequestAction::Split, RequestAction::Reject]),
            (Connect, [RequestAction::Retry; 4]),
            (Overloaded, [RequestAction::Retry; 4]),
            (Interrupted, [RequestAction::Retry, RequestAction::Retry, RequestAction::Unknown, RequestAction::Unknown]),
            (TimedOut, [RequestAction::Retry, RequestAction::Retry, RequestAction::Unknown, RequestAction::Unknown]),
            (Unavailable, [RequestAction::Retry, RequestAction::Retry, RequestAction::Unknown, RequestAction::Unknown]),
            (
                AnswerTooLarge,
                [RequestAction::Split, RequestAction::Unknown, RequestAction::Unknown, RequestAction::Unknown],
            ),
            (Server, [RequestAction::Unknown; 4]),
            (Forbidden, [RequestAction::Unknown; 4]),
            (BadRequest, [RequestAction::Unknown; 4]),
        ];
        for (kind, expected) in table {
            let error = es_core::Error::new(kind, "x");
            let found = [(2, true), (1, true), (2, false), (1, false)].map(|(many, ids)| of_request(&error, many, ids));
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn a_request_above_the_pressure_limit_differs_from_one_too_many() {
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
