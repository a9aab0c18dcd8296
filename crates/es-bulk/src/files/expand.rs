//! The files that paths, folders and patterns stand for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::format::FileFormat;
use crate::error::{Error, ErrorKind};

/// A pattern matches hidden files only if it has the dot.
const MATCHING: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that names stand for, sorted, each of them once. A name can be
/// - the path of a file, whatever characters it has;
/// - a folder: the files directly in it with an extension of a known format, without hidden ones; `.json`
///   files only where there are no others, as beside them they are descriptions, such as manifests;
/// - a pattern with `*`, `?`, `[…]` and, for folders of any depth, `**`.
///
/// # Errors
/// [`ErrorKind::File`] for a name or pattern that nothing matches, with a near name, and
/// when a folder cannot be read.
pub fn expand<T: AsRef<str>>(patterns: &[T]) -> Result<Vec<PathBuf>, Error> {
    // The same file can be named in several ways; the first name stays.
    let mut found: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for pattern in patterns {
        for path in expand_one(pattern.as_ref())? {
            let same = path.canonicalize().unwrap_or_else(|_| path.clone());
            found.entry(same).or_insert(path);
        }
    }
    let mut paths: Vec<PathBuf> = found.into_values().collect();
    paths.sort();
    Ok(paths)
}

fn expand_one(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let path = Path::new(pattern);
    if path.is_dir() {
        return files_of(path);
    }
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let wrong = |message: String| Error::of_file(ErrorKind::File, path, message);
    let matches = glob::glob_with(pattern, MATCHING).map_err(|error| {
        wrong(format!("`{pattern}` is not a valid pattern: {}", error.msg)).with_help("write `[*]` for a literal `*`")
    })?;
    let mut files = Vec::new();
    for found in matches {
        let found = found.map_err(|error| {
            wrong(format!("{} cannot be read: {}", error.path().display(), error.error()))
                .with_help("check the permissions of the folder")
        })?;
        if !found.is_dir() {
            files.push(found);
        }
    }
    if files.is_empty() {
        return Err(wrong(format!("there is no file `{pattern}`")).with_help(match nearest_file(path) {
            Some(near) => format!("did you mean `{}`?", near.display()),
            None => "check the path; patterns can have `*`, `?`, `[…]` and `**`".to_owned(),
        }));
    }
    Ok(files)
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source: std::io::Error| {
        Error::of_file(ErrorKind::File, folder, format!("{} cannot be read: {source}", folder.display()))
            .with_help("check the permissions of the folder")
            .with_source(source)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && !path.is_dir() && FileFormat::of_path(&path).is_some() {
            files.push(path);
        }
    }
    let is_json = |path: &PathBuf| FileFormat::of_path(path) == Some(FileFormat::Json);
    if !files.iter().all(is_json) {
        files.retain(|path| !is_json(path));
    }
    if files.is_empty() {
        let message = format!("{} has no file of a known format", folder.display());
        return Err(Error::of_file(ErrorKind::File, folder, message)
            .with_help("name the files, for instance as *.log, and set their format"));
    }
    Ok(files)
}

/// A file of the same folder with a similar name.
fn nearest_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let near = es_values::nearest(name, names.iter().map(String::as_str))?;
    Some(folder.map_or_else(|| PathBuf::from(near), |folder| folder.join(near)))
}
