//! The next step after an error of the server that a setting or a state of the index causes.

use crate::error::ServerError;

/// Blocks by the numbers that the server gives them, such as 8 in `[FORBIDDEN/8/index write (api)]`, and
/// the settings that set them.
const BLOCKS: [(&str, &str); 6] = [
    ("5", "index.blocks.read_only"),
    ("6", "cluster.blocks.read_only"),
    ("7", "index.blocks.read"),
    ("8", "index.blocks.write"),
    ("9", "index.blocks.metadata"),
    ("13", "cluster.blocks.read_only_allow_delete"),
];

/// Limits of an index by the server's words, and their settings.
const LIMITS: [(&str, &str); 5] = [
    ("Limit of total fields", "index.mapping.total_fields.limit"),
    ("Limit of mapping depth", "index.mapping.depth.limit"),
    ("Limit of nested fields", "index.mapping.nested_fields.limit"),
    ("The number of nested documents has exceeded the allowed limit", "index.mapping.nested_objects.limit"),
    ("Limit of field name length", "index.mapping.field_name_length.limit"),
];

impl ServerError {
    /// The next step for a person, where a block, a closed index or a limit is the cause.
    pub fn advice(&self) -> Option<String> {
        let summary = self.summary();
        match self.error_type.as_str() {
            "cluster_block_exception" => block(&summary),
            "index_closed_exception" => Some(opening(self.index.as_deref())),
            "validation_exception" if summary.contains("maximum normal shards open") => {
                Some("remove indices, or raise `cluster.max_shards_per_node`".to_owned())
            }
            _ => {
                let (_, setting) = LIMITS.iter().find(|(words, _)| summary.contains(words))?;
                let fewer = if *setting == LIMITS[0].1 { ", or map an object as `flattened`" } else { "" };
                Some(format!("raise `{setting}` in the settings of the index{fewer}"))
            }
        }
    }
}

fn block(reason: &str) -> Option<String> {
    let (_, block) = reason.split_once("blocked by: [")?;
    Some(match block.split('/').nth(1)? {
        "1" | "2" => "the cluster is starting or has no master: try again, and see the logs of its nodes".to_owned(),
        "4" => opening(None),
        "12" => "a disk of a node is nearly full: free space, and the server removes the block by itself \
                 (`index.blocks.read_only_allow_delete`)"
            .to_owned(),
        number => {
            let (_, setting) = BLOCKS.iter().find(|(known, _)| *known == number)?;
            format!("the block was set on purpose; to lift it, set `{setting}` to null")
        }
    })
}

fn opening(index: Option<&str>) -> String {
    format!("the index is closed: open it (POST /{}/_open), or name another one", index.unwrap_or("INDEX"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_closed_indices_and_limits_come_with_the_way_out() {
        // As Elasticsearch 9.4.3 answered.
        let block = |text: &str| json!({"type": "cluster_block_exception", "reason": format!("index [a] blocked by: [{text}];")});
        let limit = |reason: &str| json!({"type": "illegal_argument_exception", "reason": reason});
        let table = [
            (block("FORBIDDEN/8/index write (api)"), Some("set `index.blocks.write` to null")),
            (block("FORBIDDEN/7/index read (api)"), Some("set `index.blocks.read` to null")),
            (block("FORBIDDEN/5/index read-only (api)"), Some("set `index.blocks.read_only` to null")),
            (
                block(
                    "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
                ),
                Some("free space"),
            ),
            (block("FORBIDDEN/99/unknown"), None),
            (block("FORBIDDEN/4/index closed"), Some("open it (POST /INDEX/_open)")),
            (block("SERVICE_UNAVAILABLE/1/state not recovered / initialized"), Some("is starting or has no master")),
            (
                json!({"type": "index_closed_exception", "reason": "closed", "index": "a"}),
                Some("open it (POST /a/_open)"),
            ),
            (limit("Limit of total fields [1000] has been exceeded"), Some("`index.mapping.total_fields.limit`")),
            (limit("Limit of mapping depth [20] has been exceeded"), Some("`index.mapping.depth.limit`")),
            (limit("something else"), None),
        ];
        for (error, words) in table {
            let advice = ServerError::from_value(&error).unwrap().advice();
            match words {
                Some(words) => assert!(advice.as_deref().unwrap_or("").contains(words), "{error}: {advice:?}"),
                None => assert_eq!(advice, None, "{error}"),
            }
        }
    }
}
