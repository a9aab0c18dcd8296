//! The documents that are loaded: each follows from a seed and its number, so
//! that what should be in an index needs no second copy.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::random::Random;

/// The number of files of a source.
const FILES: u64 = 2;

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    /// A document that the mapping refuses.
    Refused,
    /// A line that is not valid JSON.
    Broken,
}

/// A set of documents.
#[derive(Debug, Clone)]
pub(super) struct Source {
    seed: u64,
    pub(super) documents: u64,
    /// True if one line in a hundred is bad.
    poisoned: bool,
}

impl Source {
    pub(super) fn new(seed: u64, documents: u64) -> Self {
        Self { seed, documents, poisoned: false }
    }

    pub(super) fn poisoned(self) -> Self {
        Self { poisoned: true, ..self }
    }

    /// The kind of a document's line. Of a thousand lines nine are refused and one is broken,
    /// one in each hundred.
    pub(super) fn kind(&self, number: u64) -> Kind {
        let in_hundred = Random::new(self.seed ^ (number / 100)).next() % 100;
        match (self.poisoned && number % 100 == in_hundred, number / 100 % 10) {
            (false, _) => Kind::Good,
            (true, 0) => Kind::Broken,
            (true, _) => Kind::Refused,
        }
    }

    pub(super) fn id(number: u64) -> String {
        format!("d{number:09}")
    }

    /// The number of the document with this id.
    pub(super) fn number(&self, id: &str) -> Option<u64> {
        let number = id.strip_prefix('d')?.parse().ok()?;
        (number < self.documents && Self::id(number) == id).then_some(number)
    }

    /// The line of a document. All are of nearly the same length.
    pub(super) fn line(&self, number: u64) -> String {
        let mut random = Random::new(self.seed.wrapping_add(number));
        let (id, count, place) = (Self::id(number), random.next() >> 20, random.next() % 1000);
        // An odd number of 64ths is no whole number, so that it is written as a fraction by everyone.
        let measure = (random.next() % 32_768 * 2 + 1) as f64 / 64.0;
        let words: String = (0..8).map(|_| format!(" {:016x}", random.next())).collect();
        match self.kind(number) {
            Kind::Good => format!(
                r#"{{"id":"{id}","count":{count},"measure":{measure},"place":"place-{place:03}","text":"é{words}"}}"#
            ),
            Kind::Refused => {
                format!(r#"{{"id":"{id}","count":"no number","measure":{measure},"place":"p","text":"é{words}"}}"#)
            }
            Kind::Broken => format!(r#"{{"id":"{id}","count":{count},"text":"é{words}"#),
        }
    }

    /// The mapping and the settings of an index of such documents.
    ///
    /// The settings differ from those of a load, so that a missing restore shows.
    pub(super) fn index_body() -> Value {
        json!({
            "settings": { "index": { "number_of_shards": 1, "number_of_replicas": 1, "refresh_interval": "7s" } },
            "mappings": { "dynamic": "strict", "properties": {
                "id": { "type": "keyword" },
                "count": { "type": "long" },
                "measure": { "type": "double" },
                "place": { "type": "keyword" },
                "text": { "type": "text" }
            } }
        })
    }

    /// Writes NDJSON files, and returns them.
    pub(super) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        (0..FILES).map(|file| self.write_file(folder, file)).collect()
    }

    fn write_file(&self, folder: &Path, file: u64) -> Result<PathBuf> {
        let path = folder.join(format!("part-{file}.ndjson"));
        let written = File::create(&path).and_then(|created| {
            let mut writer = BufWriter::new(created);
            let (first, end) = (self.documents * file / FILES, self.documents * (file + 1) / FILES);
            (first..end).try_for_each(|number| writeln!(writer, "{}", self.line(number)))?;
            writer.flush()
        });
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The file of a document by its number among the files, and its row there from 1.
    pub(super) fn place(&self, number: u64) -> (u64, u64) {
        let file = (0..FILES).rev().find(|file| self.documents * file / FILES <= number).unwrap_or(0);
        (file, number - self.documents * file / FILES + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_bad() {
        let source = Source::new(5, 10_000).poisoned();
        let count = |kind| (0..source.documents).filter(|number| source.kind(*number) == kind).count();
        assert_eq!((count(Kind::Good), count(Kind::Refused), count(Kind::Broken)), (9_900, 90, 10));
        assert!((0..10_000).all(|number| Source::new(5, 10_000).kind(number) == Kind::Good));
    }

    #[test]
    fn lines_are_what_their_kind_says() {
        let source = Source::new(5, 2_000).poisoned();
        for number in 0..source.documents {
            let parsed = serde_json::from_str::<Value>(&source.line(number));
            match source.kind(number) {
                Kind::Broken => assert!(parsed.is_err()),
                kind => {
                    let document = parsed.unwrap();
                    assert_eq!(source.number(document["id"].as_str().unwrap()), Some(number));
                    assert_eq!(document["count"].is_u64(), kind == Kind::Good);
                    assert!(document["measure"].is_f64());
                }
            }
        }
    }

    #[test]
    fn only_ids_of_the_documents_are_theirs() {
        let source = Source::new(1, 10);
        for id in ["d000000010", "d9", "x", "", "d00000000a"] {
            assert_eq!(source.number(id), None, "{id}");
        }
        assert_eq!(source.number("d000000009"), Some(9));
    }

    #[test]
    fn every_document_has_a_row() {
        let source = Source::new(1, 7);
        let places: Vec<(u64, u64)> = (0..7).map(|number| source.place(number)).collect();
        assert_eq!(places, [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4)]);
    }
}
