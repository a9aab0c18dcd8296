//! Folders and files that take each other's place.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn folder(path: &Path) -> Destination {
    Destination::Folder(path.to_owned())
}

fn enter(path: &Path) -> Staging {
    Staging::enter(&folder(path)).unwrap()
}

#[test]
fn a_commit_replaces_the_whole_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let destination = scratch.path().join("set");
    for round in ["1", "2"] {
        let staging = enter(&destination);
        fs::write(staging.files().join(format!("part-{round}")), round).unwrap();
        fs::write(staging.aside("state"), round).unwrap();
        staging.commit(b"{}").unwrap();
        drop(staging);
        assert_eq!(names(&destination), ["_manifest.json", &format!("part-{round}")]);
        assert_eq!(names(scratch.path()), ["set"]);
    }
}

#[test]
fn without_a_commit_nothing_changes() {
    let scratch = tempfile::tempdir().unwrap();
    let destination = scratch.path().join("set");
    enter(&destination).commit(b"old").unwrap();
    let staging = enter(&destination);
    fs::write(staging.files().join("half"), "x").unwrap();
    drop(staging);
    assert_eq!(fs::read(destination.join(MANIFEST_FILE)).unwrap(), b"old");
    assert_eq!(names(scratch.path()), ["set"]);
}

#[test]
fn a_file_comes_with_its_manifest_and_what_belongs_to_it() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rows.csv");
    let destination = Destination::File(file.clone());
    for round in ["1", "2"] {
        let staging = Staging::enter(&destination).unwrap();
        fs::write(staging.files().join("rows.csv"), round).unwrap();
        fs::write(staging.files().join("rows.csv.features.json"), round).unwrap();
        staging.commit(round.as_bytes()).unwrap();
        drop(staging);
        assert_eq!(names(scratch.path()), ["rows.csv", "rows.csv.features.json", "rows.csv.manifest.json"]);
        for name in names(scratch.path()) {
            assert_eq!(fs::read_to_string(scratch.path().join(name)).unwrap(), round);
        }
    }
}

#[test]
fn what_is_no_export_is_not_overwritten() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "mine").unwrap();
    let mine = scratch.path().join("folder");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("mine"), "mine").unwrap();
    for destination in [
        folder(&file),
        folder(&mine),
        Destination::File(file.clone()),
        Destination::File(mine.clone()),
        folder(Path::new("/")),
    ] {
        assert_eq!(Staging::enter(&destination).err().unwrap().kind(), ErrorKind::Destination, "{destination:?}");
    }
    assert_eq!(names(scratch.path()), ["file", "folder"]);
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    enter(&empty).commit(b"{}").unwrap();
}

#[test]
fn a_second_export_is_refused_until_the_first_is_over() {
    let scratch = tempfile::tempdir().unwrap();
    let destination = scratch.path().join("set");
    let first = enter(&destination);
    fs::write(first.files().join("part"), "x").unwrap();
    let error = Staging::enter(&folder(&destination)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert_eq!(error.to_string(), format!("another export to {} is running", destination.display()));
    assert_eq!(names(first.files()), ["part"], "the first is not disturbed");
    drop(first);
    assert_eq!(names(scratch.path()), [] as [&str; 0]);
    drop(enter(&destination));
}

#[test]
fn what_a_kill_left_is_found_kept_or_cleared() {
    let scratch = tempfile::tempdir().unwrap();
    let destination = scratch.path().join("set");
    let left = scratch.path().join(".set.staging/files");
    fs::create_dir_all(left.join("train")).unwrap();
    fs::write(left.join("train/part-00000"), "whole").unwrap();
    fs::write(left.join("train/part-00001"), "half").unwrap();
    fs::create_dir_all(scratch.path().join(".set.removed-123/files")).unwrap();
    let staging = enter(&destination);
    staging.keep_only(staging.files(), &["train/part-00000".to_owned()]).unwrap();
    assert_eq!(names(&staging.files().join("train")), ["part-00000"]);
    staging.clear().unwrap();
    assert_eq!(names(staging.files()), [] as [&str; 0]);
    assert_eq!(names(scratch.path()), [".set.staging"]);
    assert_eq!(Staging::enter(&folder(&destination)).err().unwrap().kind(), ErrorKind::Locked);
}

#[test]
fn a_kill_between_the_two_steps_of_old_systems_is_repaired() {
    let scratch = tempfile::tempdir().unwrap();
    let destination = scratch.path().join("set");
    enter(&destination).commit(b"old").unwrap();
    fs::create_dir_all(scratch.path().join(".set.staging")).unwrap();
    fs::rename(&destination, scratch.path().join(".set.staging/previous")).unwrap();
    drop(enter(&destination));
    assert_eq!(fs::read(destination.join(MANIFEST_FILE)).unwrap(), b"old");
    assert_eq!(names(scratch.path()), ["set"]);
}

#[test]
fn a_link_is_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let (real, link) = (scratch.path().join("real"), scratch.path().join("link"));
    enter(&real).commit(b"old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    enter(&link).commit(b"new").unwrap();
    assert_eq!(fs::read(real.join(MANIFEST_FILE)).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(scratch.path()), ["link", "real"]);
}

#[test]
fn a_state_is_replaced_as_a_whole() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("state.json");
    for text in ["1", "22"] {
        replace(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(names(scratch.path()), ["state.json"]);
}
