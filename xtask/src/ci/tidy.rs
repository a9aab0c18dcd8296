//! Rules of this project that neither the compiler nor clippy knows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// What is looked at, from the workspace's root. Build output is not among it.
const PLACES: [&str; 9] =
    [".cargo", ".ci", "crates", "deploy", "docs", "examples", "fuzz", "xtask", "xtask-bench"];

/// Files longer than this, without their tests, are split.
const MAX_LINES: usize = 500;

/// Words that say that work is left.
///
/// Written in two parts, as are the folders below, so that this file passes.
const LEFTOVERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimple", "mented!")];

/// The beginnings of paths that exist on one person's machine only.
const HOME_FOLDERS: [&str; 3] = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];

/// Files that hold text written by people.
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
        // Only what is not text at all cannot be read as such.
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        let name = file.strip_prefix(&root).unwrap_or(file);
        violations
            .extend(violations_in(name, &text).into_iter().map(|violation| format!("{}{violation}", name.display())));
    }
    if violations.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    violations.iter().for_each(|violation| println!("{violation}"));
    bail!("{} untidy places", violations.len())
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

/// What is wrong with a file, each with the line where it is.
fn violations_in(name: &Path, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let is_rust = name.extension().is_some_and(|extension| extension == "rs");
    if is_rust {
        if !opens_with_module_docs(text) {
            violations.push(":1: a module opens with `//!` and what it is for".to_owned());
        }
        let lines = lines_without_tests(text);
        if !is_test_file(name) && lines > MAX_LINES {
            violations.push(format!(": {lines} lines without tests, more than {MAX_LINES}: split it"));
        }
    }
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if is_rust && let Some(word) = LEFTOVERS.iter().find(|word| has_word(line, word)) {
            violations.push(format!(":{number}: `{word}` is left"));
        }
        if let Some(folder) = HOME_FOLDERS.iter().find(|folder| names_home(line, folder)) {
            violations.push(format!(":{number}: a path under {folder} exists on one machine only"));
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

/// Whether the word stands by itself, and is no part of another.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_part(before) && (word.ends_with('!') || !is_part(after))
    })
}

/// Whether a path begins here, that goes on with somebody's name.
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
    fn a_module_opens_with_its_purpose() {
        assert!(found("src/a.rs", "\n//! Does this.\nfn a() {}\n").is_empty());
        assert_eq!(found("src/a.rs", "use b;\n//! late\n"), [":1: a module opens with `//!` and what it is for"]);
        assert!(found("a.md", "# Title\n").is_empty());
    }

    #[test]
    fn leftovers_are_found_as_words_alone() {
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
    fn long_files_are_found_without_their_tests() {
        let body = |lines: usize| format!("//! M.\n{}", "a();\n".repeat(lines - 1));
        assert!(found("src/a.rs", &body(MAX_LINES)).is_empty());
        assert_eq!(found("src/a.rs", &body(MAX_LINES + 1)).len(), 1);
        let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}", body(400), "b();\n".repeat(400));
        assert!(found("src/a.rs", &with_tests).is_empty());
        assert!(found("tests/it/a.rs", &body(MAX_LINES + 1)).is_empty());
    }

    #[test]
    fn home_folders_are_found_as_beginnings_of_paths() {
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
}
