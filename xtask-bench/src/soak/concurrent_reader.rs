//! A reader that inspects the destination of an export during the whole scenario: it must
//! find one whole export, or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::export::{MANIFEST, entries, read_manifest};

/// The time between two inspections.
const PAUSE: Duration = Duration::from_millis(2);

/// The maximum number of reported problems.
const MOST_PROBLEMS: usize = 5;

/// The observations of a reader.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The number of times that a complete export was there.
    pub(super) whole: u64,
    /// The number of times that nothing was there.
    pub(super) nothing: u64,
    pub(super) problems: Vec<String>,
}

/// A thread that inspects the destination until it is stopped.
pub(super) struct ConcurrentReader {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl ConcurrentReader {
    /// Starts to inspect a folder that contains only the destination.
    pub(super) fn start(folder: PathBuf, name: &'static str) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = stopped.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !flag.load(Ordering::Relaxed) {
                match inspect(&folder, name) {
                    Inspection::Whole => seen.whole += 1,
                    Inspection::Nothing => seen.nothing += 1,
                    Inspection::Problem(problem) if seen.problems.len() < MOST_PROBLEMS => seen.problems.push(problem),
                    Inspection::Problem(_) => {}
                }
                std::thread::sleep(PAUSE);
            }
            seen
        });
        Self { stopped, thread }
    }

    pub(super) fn stop(self) -> Result<Seen> {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the reader has panicked"))
    }
}

#[derive(Debug, PartialEq)]
enum Inspection {
    Whole,
    Nothing,
    Problem(String),
}

/// Inspects the destination once.
fn inspect(folder: &Path, name: &str) -> Inspection {
    if let Some(other) = strangers(folder, name) {
        return Inspection::Problem(format!("{other} is beside the destination, and not hidden"));
    }
    let destination = folder.join(name);
    let manifest = destination.join(MANIFEST);
    let Ok(before) = std::fs::read(&manifest) else {
        // Either there is nothing, or the whole has come since.
        return if !destination.exists() || manifest.exists() {
            Inspection::Nothing
        } else {
            Inspection::Problem("a folder without a manifest is visible".into())
        };
    };
    let Err(problem) = check(&destination) else { return Inspection::Whole };
    // An export that took the place of another during an inspection is not a problem.
    match std::fs::read(&manifest) {
        Ok(after) if after == before => Inspection::Problem(format!("{problem:#}")),
        Ok(_) => Inspection::Nothing,
        Err(_) if !destination.exists() => Inspection::Nothing,
        Err(error) => Inspection::Problem(format!("the manifest went away: {error}")),
    }
}

/// Something in the folder that is neither the destination nor hidden.
fn strangers(folder: &Path, name: &str) -> Option<String> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|other| other != name && !other.starts_with('.'))
}

/// Fails unless a folder has exactly the files of its manifest, with their sizes.
fn check(destination: &Path) -> Result<()> {
    let manifest = read_manifest(&destination.join(MANIFEST))?;
    let mut found = BTreeMap::new();
    sizes(destination, destination, &mut found)?;
    found.remove(MANIFEST);
    let wanted: BTreeMap<String, u64> = entries(&manifest).into_iter().collect();
    if found != wanted {
        return Err(anyhow!("the files are {found:?}, and the manifest names {wanted:?}"));
    }
    Ok(())
}

fn sizes(root: &Path, folder: &Path, found: &mut BTreeMap<String, u64>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.is_dir() {
            sizes(root, &path, found)?;
        } else {
            found.insert(path.strip_prefix(root)?.to_string_lossy().into_owned(), metadata.len());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_whole_exports_are_well() {
        let folder = std::env::temp_dir().join(format!("xtask-reader-{}", std::process::id()));
        let destination = folder.join("rows");
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(inspect(&folder, "rows"), Inspection::Nothing);
        std::fs::create_dir_all(folder.join(".rows.staging")).unwrap();
        assert_eq!(inspect(&folder, "rows"), Inspection::Nothing);
        std::fs::create_dir_all(destination.join("data")).unwrap();
        assert!(
            matches!(inspect(&folder, "rows"), Inspection::Problem(problem) if problem.contains("without a manifest"))
        );
        let manifest = json!({ "rows": 1, "parts": [{ "files": [{ "path": "data/part", "bytes": 3 }] }] });
        std::fs::write(destination.join(MANIFEST), manifest.to_string()).unwrap();
        assert!(matches!(inspect(&folder, "rows"), Inspection::Problem(_)));
        std::fs::write(destination.join("data/part"), "ab").unwrap();
        assert!(matches!(inspect(&folder, "rows"), Inspection::Problem(_)));
        std::fs::write(destination.join("data/part"), "abc").unwrap();
        assert_eq!(inspect(&folder, "rows"), Inspection::Whole);
        std::fs::write(destination.join("data/more"), "").unwrap();
        assert!(matches!(inspect(&folder, "rows"), Inspection::Problem(_)));
        std::fs::remove_file(destination.join("data/more")).unwrap();
        std::fs::write(folder.join("rows.part"), "").unwrap();
        assert!(matches!(inspect(&folder, "rows"), Inspection::Problem(problem) if problem.contains("rows.part")));
        std::fs::remove_file(folder.join("rows.part")).unwrap();
        let reader = ConcurrentReader::start(folder.clone(), "rows");
        std::thread::sleep(Duration::from_millis(50));
        let seen = reader.stop().unwrap();
        assert!(seen.whole > 0 && seen.nothing == 0 && seen.problems.is_empty(), "{seen:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
