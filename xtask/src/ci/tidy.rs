//! Rules of this project that neither the compiler nor clippy checks.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The checked folders, from the workspace's root. Build output below them is skipped.
const PLACES: [&str; 9] = [".cargo", ".ci", "crates", "deploy", "docs", "examples", "fuzz", "xtask", "xtask-bench"];

/// The maximum number of lines of a file, without its tests.
const MAX_LINES: usize = 500;

/// Markers of unfinished work.
///
/// They and the folders below are written in two parts, so that this file passes.
const LEFTOVERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimple", "mented!")];

/// The folders of paths that exist on one machine only.
const HOME_FOLDERS: [&str; 3] = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];

/// Words that open a subordinate clause, with which no doc comment begins.
const OPENINGS: [&str; 4] = ["What", "Whether", "How", "Where"];

/// An import from so far away that the module is in the wrong place, or the path should start at `crate`.
const FAR_IMPORT: &str = concat!("super::super", "::super");

/// The extensions of text files that people write.
const TEXT: [&str; 11] = ["rs", "md", "toml", "yaml", "yml", "json", "sh", "html", "css", "js", "example"];

pub(crate) fn check() -> Result<()> {
    let root = workspace::root();
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root.join(place), &mut files)?;
    }
    collect_here(&root, &mut files)?;
    files.sort();
    let mut violations = Vec::new();
    for file in &files {
        // A file that is not UTF-8 is not text.
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        let name = file.strip_prefix(&root).unwrap_or(file);
        violations
            .extend(violations_in(name, &text).into_iter().map(|violation| format!("{}{violation}", name.display())));
        let message =
            |number| format!("{}:{number}: a doc comment begins with a noun phrase or a verb", name.display());
        violations.extend(clause_openings(name, &text).into_iter().map(message));
    }
    if violations.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    violations.iter().for_each(|violation| println!("{violation}"));
    bail!("{} violations", violations.len())
}

/// The numbers of the lines where a doc comment begins with one of [`OPENINGS`].
fn clause_openings(name: &Path, text: &str) -> Vec<usize> {
    if name.extension().is_none_or(|extension| extension != "rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    // Lines of a comment are of one kind, so an example inside of one begins no comment of its own.
    let mut previous = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let marker = ["//!", "///"].into_iter().find(|marker| line.starts_with(marker));
        if let Some(marker) = marker.filter(|_| marker != previous) {
            let first = line[marker.len()..].split_whitespace().next().unwrap_or_default();
            if OPENINGS.contains(&first.trim_end_matches([',', '\''])) {
                found.push(index + 1);
            }
        }
        previous = marker;
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let is_output = ["target", "out", ".venv", "node_modules"].iter().any(|output| path.ends_with(output));
        if path.is_dir() && !path.is_symlink() && !is_output {
            collect(&path, files)?;
        }
    }
    collect_here(folder, files)
}

fn collect_here(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_text = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| TEXT.contains(&extension));
        let is_script = folder.file_name().is_some_and(|name| name == ".ci");
        if path.is_file() && (is_text || is_script) {
            files.push(path);
        }
    }
    Ok(())
}

/// The violations in a file, each with its line.
fn violations_in(name: &Path, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let is_rust = name.extension().is_some_and(|extension| extension == "rs");
    if is_rust {
        if !opens_with_module_docs(text) {
            violations.push(":1: a module begins with `//!` and its purpose".to_owned());
        }
        let lines = lines_without_tests(text);
        if !is_test_file(name) && lines > MAX_LINES {
            violations.push(format!(": {lines} lines without tests, the maximum is {MAX_LINES}: split it"));
        }
    }
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if is_rust && let Some(word) = LEFTOVERS.iter().find(|word| has_word(line, word)) {
            violations.push(format!(":{number}: `{word}` marks unfinished work: finish it or file an issue"));
        }
        if is_rust && line.contains(FAR_IMPORT) {
            violations.push(format!(":{number}: `{FAR_IMPORT}`: start the path at `crate`"));
        }
        if let Some(folder) = HOME_FOLDERS.iter().find(|folder| names_home(line, folder)) {
            violations.push(format!(":{number}: a path under {folder} exists on one machine only: use a relative one"));
        }
    }
    violations
}

fn opens_with_module_docs(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"))
}

/// The lines up to the file's own module of tests, which comes last.
fn lines_without_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

fn is_test_file(name: &Path) -> bool {
    name.components().any(|component| ["tests", "benches"].iter().any(|folder| component.as_os_str() == *folder))
        || name.file_stem().is_some_and(|stem| stem == "tests")
}

/// Returns true if the line has the word by itself, not as a part of another.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_part(before) && (word.ends_with('!') || !is_part(after))
    })
}

/// Returns true if the line has a path below `folder` with a name.
fn names_home(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || "-_./~}".contains(c));
        begins && after.is_some_and(|c| c.is_alphanumeric() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        violations_in(Path::new(name), text)
    }

    #[test]
    fn a_module_begins_with_its_purpose() {
        assert!(found("src/a.rs", "\n//! Does this.\nfn a() {}\n").is_empty());
        assert_eq!(found("src/a.rs", "use b;\n//! late\n"), [":1: a module begins with `//!` and its purpose"]);
        assert!(found("a.md", "# Title\n").is_empty());
    }

    #[test]
    fn markers_of_unfinished_work_are_whole_words() {
        for (line, expected) in [
            (format!("// {}: later", LEFTOVERS[0]), 1),
            (format!("    {}()", LEFTOVERS[2]), 1),
            (format!("{}x", LEFTOVERS[0]), 0),
            (format!("MY_{}", LEFTOVERS[1]), 0),
            ("let todos = 1;".to_owned(), 0),
        ] {
            let text = format!("//! M.\n{line}\n");
            assert_eq!(found("src/a.rs", &text).len(), expected, "{line}");
        }
    }

    #[test]
    fn tests_do_not_count_as_lines_of_a_file() {
        let body = |lines: usize| format!("//! M.\n{}", "a();\n".repeat(lines - 1));
        assert!(found("src/a.rs", &body(MAX_LINES)).is_empty());
        assert_eq!(found("src/a.rs", &body(MAX_LINES + 1)).len(), 1);
        let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}", body(400), "b();\n".repeat(400));
        assert!(found("src/a.rs", &with_tests).is_empty());
        assert!(found("tests/it/a.rs", &body(MAX_LINES + 1)).is_empty());
    }

    #[test]
    fn home_folders_are_found_at_the_start_of_paths() {
        for (line, expected) in [
            (format!("see {}ann/x", HOME_FOLDERS[0]), 1),
            (format!("\"{}ann\"", HOME_FOLDERS[1]), 1),
            (format!("{}.m2", HOME_FOLDERS[2]), 1),
            (format!("docs{}page", HOME_FOLDERS[0]), 0),
            (format!("{}<you>", HOME_FOLDERS[0]), 0),
        ] {
            assert_eq!(found("a.md", &line).len(), expected, "{line}");
        }
    }

    #[test]
    fn far_imports_are_found() {
        let text = format!("//! M.\nuse {FAR_IMPORT}::a;\nuse super::super::b;\n");
        assert_eq!(found("src/a.rs", &text).len(), 1);
        assert!(found("a.md", &text).is_empty());
    }

    #[test]
    fn a_doc_comment_does_not_begin_with_a_clause() {
        let text = "//! What it is.\n//! How it works.\n\n/// Whether it is.\nfn a() {}\n\
                    /// Returns it.\n/// ```\n/// // Where\n/// ```\nfn b() {}\n\
                    /// Whatever.\nfn c() {}\n    /// Where, as said.\n    x: u8,\n// How it is done.\n";
        assert_eq!(clause_openings(Path::new("src/a.rs"), text), [1, 4, 13]);
        assert!(clause_openings(Path::new("a.md"), text).is_empty());
    }
}
