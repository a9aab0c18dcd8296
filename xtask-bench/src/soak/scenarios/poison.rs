//! One document in a hundred is bad: all good ones are to land, and all bad ones
//! to be in the dead letter with the place that they came from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::soak::Soak;
use crate::soak::report::Row;
use crate::soak::source::{Kind, Source};

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let source = Source::new(soak.seed, soak.extent.documents).poisoned();
    let input = soak.ndjson("poison", source)?;
    let mut load = soak.load("poison", &input)?;
    load.options = vec!["--max-rejected", "2%"];
    load.run()?;
    let mut letters = Vec::new();
    find(&load.folder, ".errors.ndjson", &mut letters)?;
    let letter = Letter::read(&letters)?;
    let wanted = Letter::of(&input.source);
    let bad = wanted.places.len();
    row.faults = "1 % poison, a tenth of it no JSON".into();
    row.figure = format!("{} of {bad} bad ones in the dead letter", wanted.places.intersection(&letter.places).count());
    let missing: Vec<&String> = wanted.ids.difference(&letter.ids).collect();
    row.require(missing.is_empty(), || {
        format!("{} refused documents are not in the dead letter, such as {:?}", missing.len(), missing.first())
    });
    let others: Vec<&String> = letter.ids.difference(&wanted.ids).collect();
    row.require(others.is_empty(), || {
        format!("{} documents are in the dead letter for nothing, such as {:?}", others.len(), others.first())
    });
    let unplaced: Vec<&(u64, u64)> = wanted.places.difference(&letter.places).collect();
    row.require(unplaced.is_empty(), || {
        format!("{} errors have no or another file and row, such as {:?}", unplaced.len(), unplaced.first())
    });
    soak.settle(&load, &input.source, row)?;
    Ok(())
}

/// The actual or the expected content of a dead letter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Letter {
    /// Ids of the documents that can be sent again.
    ids: BTreeSet<String>,
    /// The number of the file among the files, and the row, of everything that is bad.
    places: BTreeSet<(u64, u64)>,
}

impl Letter {
    /// The expected content.
    fn of(source: &Source) -> Self {
        let mut letter = Self::default();
        for number in 0..source.documents {
            let kind = source.kind(number);
            if kind == Kind::Refused {
                letter.ids.insert(Source::id(number));
            }
            if kind != Kind::Good {
                letter.places.insert(source.place(number));
            }
        }
        letter
    }

    /// Reads files of errors and, beside each, the documents that they are about.
    fn read(errors: &[PathBuf]) -> Result<Self> {
        let mut letter = Self::default();
        for path in errors {
            for error in lines(path)? {
                letter.add_error(&error);
            }
            let documents = PathBuf::from(path.to_string_lossy().replace(".errors.ndjson", ".ndjson"));
            for action in lines(&documents)?.iter().step_by(2) {
                let metadata = action.as_object().and_then(|action| action.values().next());
                let id = metadata.and_then(|metadata| metadata["_id"].as_str());
                letter
                    .ids
                    .insert(id.with_context(|| format!("{}: no id in {action}", documents.display()))?.to_owned());
            }
        }
        Ok(letter)
    }

    fn add_error(&mut self, error: &Value) {
        let file = error["file"].as_str().and_then(|file| Path::new(file).file_stem()).and_then(|stem| stem.to_str());
        let file = file.and_then(|stem| stem.strip_prefix("part-")).and_then(|number| number.parse().ok());
        if let (Some(file), Some(row)) = (file, error["row"].as_u64()) {
            self.places.insert((file, row));
        }
    }
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()));
    text.lines().map(parse).collect()
}

/// Finds files by the end of their names.
fn find(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, ending, found)?;
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_with_its_errors() {
        let folder = std::env::temp_dir().join(format!("xtask-letter-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join("deep").join(name), text).unwrap();
        write("l.ndjson", "{\"index\":{\"_id\":\"d000000007\"}}\n{\"id\":\"d000000007\"}\n");
        write("l.errors.ndjson", "{\"file\":\"/x/part-1.ndjson\",\"row\":3}\n{\"file\":null,\"row\":4}\n");
        let mut found = Vec::new();
        find(&folder, ".errors.ndjson", &mut found).unwrap();
        let letter = Letter::read(&found).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(letter.ids, BTreeSet::from(["d000000007".to_owned()]));
        assert_eq!(letter.places, BTreeSet::from([(1, 3)]));
    }

    #[test]
    fn all_bad_lines_belong_in_it() {
        let letter = Letter::of(&Source::new(3, 1000).poisoned());
        assert_eq!((letter.ids.len(), letter.places.len()), (9, 10));
        assert_eq!(Letter::of(&Source::new(3, 1000)), Letter::default());
    }
}
