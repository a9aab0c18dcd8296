//! The contents of the files, and what is left of an earlier load.

use serde_json::Value;

use super::*;

fn refused(number: u64, lines: &'static str, source: usize) -> Rejection {
    Rejection {
        number: Some(number),
        row: None,
        origin: Some(Origin { file: "a.csv".into(), row: number + 1 }),
        status: Some(400),
        error_type: "bad".to_owned(),
        reason: "why".to_owned(),
        content: Content::Document { lines: Bytes::from_static(lines.as_bytes()), source },
    }
}

fn row() -> Rejection {
    Rejection { number: None, status: None, content: Content::Row("{\"a\":".to_owned()), ..refused(8, "", 0) }
}

fn fill(mut letter: DeadLetter, rejections: &[Rejection]) -> LetterLength {
    letter.begin().unwrap();
    for rejection in rejections {
        letter.add(rejection).unwrap();
    }
    letter.sync().unwrap();
    letter.length()
}

fn texts(path: &Path) -> (String, Vec<Value>) {
    let with = |ending: &str| format!("{}{ending}", path.display());
    let errors = std::fs::read_to_string(with(".errors.ndjson")).unwrap();
    let errors = errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (std::fs::read_to_string(with(".ndjson")).unwrap(), errors)
}

#[test]
fn errors_say_where_their_documents_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.1");
    let all = [refused(3, "{\"delete\":{}}\n", 14), row(), refused(9, "{\"index\":{}}\n{\"a\":1}\n", 13)];
    let length = fill(DeadLetter::new(&path), &all);
    let (documents, errors) = texts(&path);
    assert_eq!(documents, "{\"delete\":{}}\n{\"index\":{}}\n{\"a\":1}\n");
    let expected = [
        json!({"document": 3, "letter": 1, "file": "a.csv", "row": 4, "status": 400, "type": "bad", "reason": "why"}),
        json!({"document": null, "letter": null, "file": "a.csv", "row": 9, "status": null, "type": "bad",
            "reason": "why", "text": "{\"a\":"}),
        json!({"document": 9, "letter": 2, "file": "a.csv", "row": 10, "status": 400, "type": "bad", "reason": "why"}),
    ];
    assert_eq!(errors, expected);
    assert_eq!((length.documents, length.lines), (documents.len() as u64, 3));
    assert_eq!(all[0].content.text(), "{\"delete\":{}}\n");
    assert_eq!(all[2].content.text(), "{\"a\":1}\n");
}

#[test]
fn a_dead_letter_resumes_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    let first = refused(0, "{\"index\":{}}\n{\"a\":1}\n", 13);
    let checkpoint = fill(DeadLetter::new(&path), std::slice::from_ref(&first));
    let once = texts(&path);
    fill(DeadLetter::append_to(&path, checkpoint), &[refused(1, "{\"index\":{}}\n{\"a\":2}\n", 13), row()]);
    let twice = texts(&path);
    assert_eq!((twice.1.len(), twice.1[1]["letter"].clone()), (3, json!(3)));
    // What came after the checkpoint is cut off, also when nothing more is refused.
    let length = fill(DeadLetter::append_to(&path, checkpoint), &[]);
    assert_eq!((texts(&path), length), (once, checkpoint));
    let mut beyond = DeadLetter::append_to(&path, LetterLength { documents: 999, ..checkpoint });
    let error = beyond.begin().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadLetter);
    assert!(error.to_string().contains("has 21 bytes and had 999 before"), "{error}");
}

#[test]
fn nothing_of_an_earlier_load_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    fill(DeadLetter::new(&path), &[row()]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    fill(DeadLetter::new(&path), &[]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn rows_without_a_file_are_named_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    fill(DeadLetter::new(&path), &[Rejection { row: Some(7), origin: None, ..refused(6, "{\"index\":{}}\n{}\n", 13) }]);
    let (_, errors) = texts(&path);
    assert_eq!((&errors[0]["file"], &errors[0]["row"]), (&Value::Null, &json!(7)));
}
