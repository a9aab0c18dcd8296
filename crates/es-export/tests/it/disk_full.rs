//! A disk without room, which takes the right to mount one.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use es_export::{Compression, ErrorKind};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    contents, export, fields, index_of, live, matching, names, row_groups, rows, run, small_pages, until_closed,
};

/// A file system of 64 KiB in memory.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one; nothing where the process must not.
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            let _ = writeln!(std::io::stderr(), "SKIPPED disk full test: this process must not mount a file system");
            return None;
        }
        Some(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_last_export_stays() {
    let Some((client, scope)) = live("full").await else { return };
    let Some(disk) = SmallDisk::mount() else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(4_000), &["k"]).await;
    let folder = disk.path().join("set");
    let few = matching(small_pages(&index), json!({"range": {"n": {"lt": 20}}}));
    run(export(few, &folder, None), &client).await.unwrap();
    let before = contents(disk.path());

    // Once the disk is full in the middle, and once when the file is finished.
    for row_group_rows in [200, 100_000] {
        let mut large = export(small_pages(&index), &folder, None);
        large.request.options.page_size = 500;
        large.files = row_groups(row_group_rows, Compression::Uncompressed);
        let error = run(large, &client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
        let part = disk.path().join(".set.staging/files/data/part-00000.parquet");
        let expected = format!("{} cannot be written: No space left on device (os error 28)", part.display());
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.help(), Some("free some space, or choose another path: what was there before is unchanged"));
        assert_eq!(error.path(), Some(part.as_path()));
        assert_eq!(contents(disk.path()), before);
        assert_eq!(names(disk.path()), ["set"]);
        until_closed(&client, &index).await;
    }
}
