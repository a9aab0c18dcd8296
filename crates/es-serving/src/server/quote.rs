//! The words of a server: the message in the body of an error, and its quotation where it has no known
//! form.

use serde_json::Value;

/// The greatest number of bytes of a server's words that are kept.
const LONGEST: usize = 2_048;

/// The names under which servers keep the message: `error` (Open Inference Protocol, TensorFlow Serving,
/// KServe, OpenAI), `message` (MLflow, TorchServe), `detail` (FastAPI).
const NAMES: [&str; 3] = ["error", "message", "detail"];

/// Returns the message of an error in JSON, or else the body, cut at 2 kB.
pub(crate) fn words(body: &[u8]) -> String {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return quoted(body);
    };
    match NAMES.iter().find_map(|name| members.get(*name)) {
        // OpenAI has an object there.
        Some(Value::Object(error)) if error.get("message").is_some_and(Value::is_string) => {
            cut(error.get("message").and_then(Value::as_str).unwrap_or_default().trim())
        }
        Some(Value::String(message)) => match members.get("stack_trace").and_then(Value::as_str).and_then(last_line) {
            // MLflow has the reason there alone.
            Some(reason) => cut(&format!("{} ({reason})", message.trim())),
            None => cut(message.trim()),
        },
        Some(other) => cut(&other.to_string()),
        None => quoted(body),
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

fn quoted(body: &[u8]) -> String {
    match String::from_utf8_lossy(body).trim() {
        "" => "without a word".to_owned(),
        text => format!("`{}`", cut(text)),
    }
}

/// Cuts the middle out of a long text: a traceback has its reason at the end.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let half = LONGEST / 2;
    let head = (0..=half).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0);
    let tail = (text.len() - half..text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len());
    format!("{} [... {} bytes ...] {}", &text[..head], tail - head, &text[tail..])
}

/// Parts of messages that concern the model or the way it is asked, and thus every row: measured with
/// Triton 2.51, MLServer 1.7, KServe 0.21 and MLflow 3.17; those of TensorFlow Serving from its
/// documents.
const ABOUT_THE_MODEL: [&[&str]; 9] = [
    &["unexpected shape for input"],
    &["unexpected inference input"],
    &["unexpected inference output"],
    &["unable to find", "input"],
    &["expected", "inputs but got"],
    &["data-type is", "but model"],
    &["features, but", "is expecting"],
    &["as outputs (", "was received"],
    &["Model is missing inputs"],
];

/// Returns true when the words of a refusal concern every row alike.
pub(crate) fn is_about_the_model(words: &str) -> bool {
    ABOUT_THE_MODEL.iter().any(|parts| parts.iter().all(|part| words.contains(part)))
}

/// The words without numbers, to tell whether two refusals are the same.
pub(crate) fn without_numbers(words: &str) -> String {
    words.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_message_or_the_body() {
        let table: [(&str, &str); 10] = [
            (
                r#"{"message": "cannot evaluate", "stack_trace": "Traceback\n  in predict\nValueError: infinity\n"}"#,
                "cannot evaluate (ValueError: infinity)",
            ),
            (r#"{"error":"Model nope not found"}"#, "Model nope not found"),
            (r#"{"error_code": "BAD_REQUEST", "message": "no column b"}"#, "no column b"),
            (
                r#"{"code": 404, "type": "ModelNotFoundException", "message": "Model not found: m"}"#,
                "Model not found: m",
            ),
            (r#"{"error": {"message": "too long", "type": "invalid_request_error", "code": null}}"#, "too long"),
            (r#"{"detail":[{"type":"json_invalid"}]}"#, r#"[{"type":"json_invalid"}]"#),
            ("Internal Server Error", "`Internal Server Error`"),
            ("<html>bad gateway</html>\n", "`<html>bad gateway</html>`"),
            (r#"{"status": "no"}"#, r#"`{"status": "no"}`"#),
            ("", "without a word"),
        ];
        for (body, expected) in table {
            assert_eq!(words(body.as_bytes()), expected);
        }
    }

    #[test]
    fn long_words_keep_their_beginning_and_their_end() {
        let body = format!("Traceback {} ValueError: the reason", "ü".repeat(4_000));
        let words = words(body.as_bytes());
        assert!(words.len() < LONGEST + 64, "{}", words.len());
        assert!(words.starts_with("`Traceback ") && words.ends_with("ValueError: the reason`"));
    }

    #[test]
    fn words_about_the_model_are_told_from_words_about_a_row() {
        let about_the_model = [
            "[request id: r] unexpected shape for input 'rows' for model 'linear'. Expected [-1,3], got [1,2].",
            "ValueError : X has 2 features, but Linear is expecting 3 features as input.",
            "SKLearnModel only supports 'predict', 'predict_proba' and 'transform' as outputs (zz was received)",
            "unexpected inference output 'zz' for model 'linear'",
        ];
        for words in about_the_model {
            assert!(is_about_the_model(words), "{words}");
        }
        for words in ["ValueError : Input X contains infinity", "`Internal Server Error`", "without a word"] {
            assert!(!is_about_the_model(words), "{words}");
        }
    }
}
