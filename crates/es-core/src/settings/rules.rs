//! The moment at which each setting of an index can be changed.
//!
//! The names are those of Elasticsearch 8.19 and 9.4; a test puts each setting that the server reports
//! and compares its behaviour.

use super::SettingKind;

/// Settings that the server sets itself, or that only its own APIs change.
const INTERNAL: &[&str] = &[
    "allocation.existing_shards_allocator",
    "creation_date",
    "creation_date_string",
    "dimensions",
    "downsample.origin.name",
    "downsample.origin.uuid",
    "downsample.source.name",
    "downsample.source.uuid",
    "downsample.status",
    "history.uuid",
    "logsdb.add_host_name_field",
    "logsdb.sort_on_host_name",
    "logsdb.sort_on_message_template",
    "mapping.semantic_text.use_legacy_format",
    "provided_name",
    "resize.source.name",
    "resize.source.uuid",
    "rollup.source.name",
    "rollup.source.uuid",
    "routing.allocation.disk.watermark.ignore",
    "routing.allocation.include._tier_preference",
    "shard_limit.group",
    "source_only",
    "uuid",
    "verified_before_close",
    "verified_read_only",
    "version.compatibility",
    "version.created",
    "version.created_string",
    "version.upgraded",
    "version.upgraded_string",
];

/// Settings that an open index accepts.
const DYNAMIC: &[&str] = &[
    "allocation.max_retries",
    "analyze.max_token_count",
    "auto_expand_replicas",
    "blocks.metadata",
    "blocks.read",
    "blocks.read_only",
    "blocks.read_only_allow_delete",
    "blocks.write",
    "compound_format",
    "default_pipeline",
    "final_pipeline",
    "flush_after_merge",
    "gc_deletes",
    "hidden",
    "highlight.max_analyzed_offset",
    "highlight.weight_matches_mode.enabled",
    "lifecycle.indexing_complete",
    "lifecycle.name",
    "lifecycle.origination_date",
    "lifecycle.parse_origination_date",
    "lifecycle.prefer_ilm",
    "lifecycle.rollover_alias",
    "mapping.depth.limit",
    "mapping.dimension_fields.limit",
    "mapping.field_name_length.limit",
    "mapping.nested_fields.limit",
    "mapping.nested_objects.limit",
    "mapping.total_fields.ignore_dynamic_beyond_limit",
    "mapping.total_fields.limit",
    "max_docvalue_fields_search",
    "max_inner_result_window",
    "max_ngram_diff",
    "max_refresh_listeners",
    "max_regex_length",
    "max_rescore_window",
    "max_result_window",
    "max_script_fields",
    "max_shingle_diff",
    "max_slices_per_scroll",
    "max_terms_count",
    "number_of_replicas",
    "priority",
    "query.default_field",
    "refresh_interval",
    "requests.cache.enable",
    "routing.allocation.enable",
    "routing.allocation.total_shards_per_node",
    "routing.rebalance.enable",
    "search.idle.after",
    "soft_deletes.retention.operations",
    "soft_deletes.retention_lease.period",
    "time_series.end_time",
    "translog.durability",
    "translog.flush_threshold_age",
    "translog.flush_threshold_size",
    "translog.generation_threshold_size",
    "translog.sync_interval",
    "unassigned.node_left.delayed_timeout",
    "warmer.enabled",
    "write.wait_for_active_shards",
];

/// Prefixes of settings that an open index accepts.
const DYNAMIC_FAMILIES: &[&str] = &[
    "indexing.slowlog.include.",
    "indexing.slowlog.threshold.",
    "merge.policy.",
    "merge.scheduler.",
    "routing.allocation.exclude.",
    "routing.allocation.include.",
    "routing.allocation.require.",
    "search.slowlog.include.",
    "search.slowlog.threshold.",
];

/// Settings that only a closed index accepts.
const STATIC: &[&str] = &[
    "codec",
    "fielddata.cache",
    "load_fixed_bitset_filters_eagerly",
    "mapping.coerce",
    "mapping.ignore_above",
    "mapping.ignore_malformed",
    "queries.cache.enabled",
    "query.parse.allow_unmapped_fields",
    "query_string.lenient",
    "shard.check_on_startup",
    "store.preload",
    "store.stats_refresh_interval",
    "store.type",
];

/// Prefixes of settings that only a closed index accepts.
const STATIC_FAMILIES: &[&str] = &["analysis.", "similarity."];

/// Settings that are fixed when an index is created.
const FINAL: &[&str] = &[
    "format",
    "mapping.source.mode",
    "mode",
    "number_of_routing_shards",
    "number_of_shards",
    "routing_partition_size",
    "routing_path",
    "soft_deletes.enabled",
    "sort.field",
    "sort.missing",
    "sort.mode",
    "sort.order",
    "time_series.start_time",
];

/// Returns the moment at which a setting, named without `index.`, can be changed.
pub(super) fn kind_of(name: &str) -> SettingKind {
    let in_family = |families: &[&str]| families.iter().any(|family| name.starts_with(family));
    if INTERNAL.contains(&name) {
        SettingKind::Internal
    } else if DYNAMIC.contains(&name) || in_family(DYNAMIC_FAMILIES) {
        SettingKind::Dynamic
    } else if STATIC.contains(&name) || in_family(STATIC_FAMILIES) {
        SettingKind::Static
    } else if FINAL.contains(&name) {
        SettingKind::Final
    } else {
        SettingKind::Unknown
    }
}

/// The default of a setting for which the server does not distinguish the default from an equal value.
/// Not `refresh_interval`: an index whose interval is not set does not refresh while nobody searches.
pub(super) fn default_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "number_of_shards" | "number_of_replicas" | "routing_partition_size" => "1",
        "codec" => "default",
        "mode" => "standard",
        "max_result_window" | "max_rescore_window" => "10000",
        "mapping.total_fields.limit" => "1000",
        "mapping.depth.limit" => "20",
        "mapping.coerce" | "mapping.ignore_malformed" => "false",
        "translog.durability" => "REQUEST",
        "translog.sync_interval" => "5s",
        "priority" | "write.wait_for_active_shards" => "1",
        "hidden"
        | "auto_expand_replicas"
        | "blocks.metadata"
        | "blocks.read"
        | "blocks.read_only"
        | "blocks.read_only_allow_delete"
        | "blocks.write" => "false",
        "default_pipeline" | "final_pipeline" => "_none",
        _ => return None,
    })
}
