//! Manifests of layout 1, which exports wrote before they had formats other than Parquet.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{MANIFEST_VERSION, Manifest, ManifestColumn, ManifestFormat, ManifestPart, ManifestVersions};
use crate::read::{Origin, ReadBy};
use crate::split::Split;

#[derive(Deserialize)]
struct ManifestV1 {
    created: Timestamp,
    written_by: String,
    source: SourceV1,
    rows: u64,
    columns: Vec<ManifestColumn>,
    split: Option<Split>,
    parts: Vec<ManifestPart>,
    notes: Value,
}

#[derive(Deserialize)]
struct SourceV1 {
    cluster_uuid: String,
    elasticsearch: String,
    index: String,
    indices: Vec<String>,
    query: Value,
    point_in_time: Timestamp,
    matched: u64,
    slices: usize,
    retrieval: String,
    mapping: String,
}

/// Reads a manifest of layout 1 as what it would be in the present one.
pub(super) fn read(bytes: &[u8]) -> Result<Manifest, serde_json::Error> {
    let ManifestV1 { created, written_by, source, rows, columns, split, parts, notes } = serde_json::from_slice(bytes)?;
    let es_export = written_by.strip_prefix("es-export ").unwrap_or(&written_by).to_owned();
    Ok(Manifest {
        transform: None,
        manifest_version: MANIFEST_VERSION,
        created,
        versions: ManifestVersions { es_export, polars: None },
        source: Origin {
            cluster_uuid: source.cluster_uuid,
            elasticsearch: source.elasticsearch,
            read_by: ReadBy::PointInTime,
            index: Some(source.index),
            indices: source.indices,
            query: source.query,
            parameters: serde_json::Map::new(),
            limit: None,
            sample: None,
            retrieval: Some(source.retrieval),
            notes: Vec::new(),
            opened_at: source.point_in_time,
            slices: source.slices,
            matched: Some(source.matched),
            mapping: Some(source.mapping),
        },
        rows,
        resumed: 0,
        restarted: 0,
        format: ManifestFormat { name: "parquet".to_owned(), compression: None, row_group_rows: None },
        columns,
        partition_by: Vec::new(),
        split,
        proof: None,
        parts,
        encoders: None,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_before_is_read() {
        // Written by the version before, with a split of two parts.
        let text = r#"{
            "manifest_version": 1, "created": "2026-11-20T10:00:00.123Z", "written_by": "es-export 0.1.0",
            "source": {
                "cluster_uuid": "vSxLkM3uQ0mJ", "elasticsearch": "9.4.3", "index": "flights",
                "indices": ["flights-1"], "query": {"match_all": {}},
                "point_in_time": "2026-11-20T09:59:59Z", "matched": 3, "slices": 3,
                "retrieval": "doc_values", "mapping": "00ff"
            },
            "rows": 3,
            "columns": [{"name": "k", "elasticsearch": "keyword", "polars": "str", "arrow": "LargeUtf8"}],
            "split": {"by": "hash", "hash": "xxh3_64", "key": ["k"], "seed": 7, "parts": {"train": 0.8, "test": 0.2}},
            "parts": [
                {"name": "train", "rows": 2,
                 "files": [{"path": "train/part-00000.parquet", "rows": 2, "bytes": 10, "sha256": "ab"}]},
                {"name": "test", "rows": 1,
                 "files": [{"path": "test/part-00000.parquet", "rows": 1, "bytes": 9, "sha256": "cd"}]}
            ],
            "notes": {"asset": "training_set"}
        }"#;
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(super::super::MANIFEST_FILE), text).unwrap();
        let manifest = Manifest::read(scratch.path()).unwrap().unwrap();
        assert_eq!((manifest.manifest_version, manifest.rows), (2, 3));
        assert_eq!(manifest.versions.es_export, "0.1.0");
        assert_eq!(manifest.source.matched, Some(3));
        assert_eq!(manifest.source.index.as_deref(), Some("flights"));
        assert_eq!(manifest.split.as_ref().unwrap().parts(), ["train", "test"]);
        assert_eq!(manifest.parts[1].files[0].sha256, "cd");
        assert_eq!(manifest.notes["asset"], "training_set");
        // What is written of it reads as itself.
        let again: Manifest = serde_json::from_value(serde_json::to_value(&manifest).unwrap()).unwrap();
        assert_eq!(again, manifest);
    }
}
