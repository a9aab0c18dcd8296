//! Names, patterns and folders, and whether a file is still the same.

use std::path::Path;

use es_bulk::ErrorKind;
use es_bulk::files::{FileIdentity, expand};

fn touch(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "x").unwrap();
}

#[test]
fn patterns_and_folders_stand_for_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "b.csv",
        "a.csv",
        "c.ndjson.gz",
        "m.json",
        "notes.txt",
        ".hidden.csv",
        "sub/d.parquet",
        "sub.csv/e.csv",
        "x[1].csv",
    ] {
        touch(&folder.path().join(name));
    }
    let table: [(&[&str], &[&str]); 8] = [
        (&["b.csv", "a.csv", "b.csv"], &["a.csv", "b.csv"]),
        (&["*.csv"], &["a.csv", "b.csv", "x[1].csv"]),
        (&[""], &["a.csv", "b.csv", "c.ndjson.gz", "x[1].csv"]),
        (&["?.csv", "sub/../a.csv", "sub"], &["a.csv", "b.csv", "sub/d.parquet"]),
        (&["**/*.csv"], &["a.csv", "b.csv", "sub.csv/e.csv", "x[1].csv"]),
        (&["notes.txt"], &["notes.txt"]),
        (&["x[1].csv"], &["x[1].csv"]),
        (&[], &[]),
    ];
    for (patterns, expected) in table {
        let patterns: Vec<String> =
            patterns.iter().map(|pattern| format!("{}/{pattern}", folder.path().display())).collect();
        let found = expand(&patterns).unwrap();
        let mut names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect();
        names.sort();
        assert_eq!(names, expected, "{patterns:?}");
        assert!(found.is_sorted());
    }
}

#[test]
fn names_without_a_match_are_errors_with_a_near_name() {
    let folder = tempfile::tempdir().unwrap();
    touch(&folder.path().join("flights.csv"));
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    let table = [
        ("flihgts.csv", "there is no file `P/flihgts.csv`", "did you mean `P/flights.csv`?"),
        ("*.parquet", "there is no file `P/*.parquet`", "check the path; patterns can have `*`, `?`, `[…]` and `**`"),
        ("none/a", "there is no file `P/none/a`", "check the path; patterns can have `*`, `?`, `[…]` and `**`"),
        (
            "empty",
            "P/empty has no file of a known format",
            "name the files, for instance as *.log, and set their format",
        ),
        (
            "a***",
            "`P/a***` is not a valid pattern: wildcards are either regular `*` or recursive `**`",
            "write `[*]` for a literal `*`",
        ),
    ];
    for (name, message, help) in table {
        let error = expand(&[at("flights.csv"), at(name)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        let here = |text: &str| text.replace("P/", &at(""));
        assert_eq!(error.to_string(), here(message));
        assert_eq!(error.help(), Some(here(help).as_str()));
    }
}

#[test]
fn a_file_that_was_written_to_has_another_identity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    touch(&path);
    let before = FileIdentity::of(&path, "a.csv").unwrap();
    let stored: FileIdentity = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    assert!(stored == before && stored.is_same(&FileIdentity::of(&path, "elsewhere/a.csv").unwrap()));
    std::fs::write(&path, "longer").unwrap();
    assert!(!before.is_same(&FileIdentity::of(&path, "a.csv").unwrap()));
    let error = FileIdentity::of(&folder.path().join("b.csv"), "b.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
}
