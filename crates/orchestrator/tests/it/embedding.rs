//! Passages and their vectors: what a text becomes, what is embedded again, and what a search finds.

use es_testing::trained::folder;
use serde_json::{Value, json};

use crate::bench::Live;

/// A node with ONNX Runtime, and a pipeline whose texts a tiny model embeds.
fn live(name: &str) -> Option<Live> {
    es_testing::onnxruntime()?;
    let live = Live::plain(name)?;
    for file in ["model.onnx", "tokenizer.json"] {
        live.write(file, std::fs::read(folder().join("text").join(file)).unwrap());
    }
    Some(live)
}

const MODELS: &str = "models:\n  tiny:\n    file: model.onnx\n    alias: champion\n    \
     text: { tokenizer: tokenizer.json, pooling: mean, max_tokens: 32 }\n";

fn pipeline(live: &Live, more: &str) {
    live.write(
        "pipeline.yaml",
        format!(
            "version: 1\nname: texts\nassets:\n  articles: {{ kind: ingest, from: {{ path: articles.ndjson }}, id: [n] }}\n  \
             passages:\n    kind: embedding\n    from: articles\n    text: [title, body]\n    keep: [n]\n    \
             model: models:/tiny@champion\n{more}{MODELS}"
        ),
    );
}

fn articles(live: &Live, articles: &[(u32, &str, &str)]) {
    let line = |(n, title, body): &(u32, &str, &str)| json!({"n": n, "title": title, "body": body}).to_string() + "\n";
    live.write("articles.ndjson", articles.iter().map(line).collect::<String>());
}

/// The passages in the order of their documents, with their vectors.
fn passages(live: &Live) -> Vec<Value> {
    let body = json!({"size": 1000, "sort": ["n", "passage"], "fields": ["vector"]});
    let found = live.search("passages", &body);
    let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{found}"));
    let one = |hit: &Value| {
        let mut one = hit["_source"].clone();
        one["vector"] = hit["fields"]["vector"].clone();
        one["_id"] = hit["_id"].clone();
        one
    };
    hits.iter().map(one).collect()
}

fn model_summary(events: &[Value]) -> Value {
    let found = events.iter().map(|event| &event["summary"]["model"]).rfind(|model| model.is_object());
    found.unwrap_or_else(|| panic!("{events:?}")).clone()
}

#[test]
fn a_text_is_embedded_once_and_a_new_model_embeds_every_text() {
    let Some(live) = live("embedding_once") else { return };
    let body = "The first flight left early. The second one was late. Nobody knows why.";
    articles(&live, &[(1, "Flights", body), (2, "Copy", ""), (3, "Weather", "It rained."), (4, "Copy", "")]);
    pipeline(&live, "    chunk: { by: sentences, size: 1 }\n");
    let summary = model_summary(&live.events(0, &["run"]));
    let first = passages(&live);
    // A line break ends a sentence, and the two copies are one text.
    assert_eq!((first.len(), &summary["embedded"], &summary["copied"]), (8, &json!(7), &json!(1)));
    for one in &first {
        let vector = one["vector"].as_array().unwrap();
        let length = vector.iter().map(|number| number.as_f64().unwrap().powi(2)).sum::<f64>();
        assert!((length - 1.0).abs() < 1e-5, "{one}");
        assert_eq!((&one["model"], &one["model_version"]), (&json!("tiny"), &json!(1)));
        assert_eq!(one["_id"], json!(format!("{}|{}", one["parent"].as_str().unwrap(), one["passage"])));
    }
    let text = format!("Flights\n\n{body}");
    for one in first.iter().filter(|one| one["n"] == 1) {
        let place = |end: &str| usize::try_from(one[end].as_u64().unwrap()).unwrap();
        assert_eq!(one["text"].as_str().unwrap(), &text[place("start")..place("end")]);
    }
    assert!(live.expect(0, &["run"]).stdout.starts_with("nothing to do"));

    // A sentence more at the front moves the others, and one document goes.
    let body = format!("Listen. {body}");
    articles(&live, &[(1, "Flights", &body), (3, "Weather", "It rained."), (4, "Copy", "")]);
    let summary = model_summary(&live.events(0, &["run"]));
    let second = passages(&live);
    assert_eq!((second.len(), &summary["embedded"], &summary["copied"]), (8, &json!(1), &json!(7)));
    for one in &second {
        let earlier = first.iter().find(|earlier| earlier["text_hash"] == one["text_hash"]);
        assert!(earlier.is_none_or(|earlier| earlier["vector"] == one["vector"]), "{one}");
    }

    // Another way from tokens to a vector is another version, and there is no mix of the two.
    let register = ["models", "register", "tiny", "model.onnx", "--tokenizer", "tokenizer.json", "--pooling", "max"];
    live.expect(0, &[&register[..], &["--max-tokens", "32", "--alias", "champion"]].concat());
    let planned = live.expect(0, &["plan"]);
    assert!(planned.stdout.contains("all texts are embedded again: the model was tiny/1"), "{}", planned.stdout);
    let summary = model_summary(&live.events(0, &["run"]));
    assert_eq!((&summary["copied"], &summary["version"]), (&json!(0), &json!(2)));
    assert!(passages(&live).iter().all(|one| one["model_version"] == 2));
}

#[test]
fn a_search_finds_passages_by_vectors_and_by_words() {
    let Some(live) = live("embedding_search") else { return };
    let bodies: Vec<String> = (0..40).map(|n| format!("the flight number {n} was late by {} minutes", n * 7)).collect();
    let all: Vec<(u32, &str, &str)> = (0..).zip(&bodies).map(|(n, body)| (n, "Delay", body.as_str())).collect();
    articles(&live, &all);
    pipeline(&live, "    checks: [{ recall: { min: 0.99, queries: 20 } }]\n");
    live.expect(0, &["run"]);
    // The text of a passage is nearest to itself.
    let wanted = format!("Delay\n\n{}", bodies[17]);
    let hits = live.events(0, &["search", "passages", &wanted, "-k", "3"]);
    let hits: Vec<&Value> = hits.iter().filter(|event| event["event"] == "hit").collect();
    assert_eq!((hits.len(), &hits[0]["rank"], &hits[0]["text"]), (3, &json!(1), &json!(wanted)), "{hits:?}");
    assert!(hits[0]["score"].as_f64().unwrap() >= hits[1]["score"].as_f64().unwrap());
    let hits = live.events(0, &["search", "passages", "number 23", "-k", "5", "--hybrid"]);
    let hits: Vec<&Value> = hits.iter().filter(|event| event["event"] == "hit").collect();
    assert!(
        hits.iter().any(|hit| hit["word_rank"] == 1 && hit["text"].as_str().unwrap().contains("number 23")),
        "{hits:?}"
    );
    let shown = live.expect(0, &["search", "passages", "late", "--hybrid", "-k", "2"]);
    assert!(
        shown.stdout.contains("(vector ") && shown.stdout.contains(", passage 0\n     Delay the flight"),
        "{}",
        shown.stdout
    );

    let shown = live.run(&["search", "articles", "late"]);
    assert_eq!(shown.code, Some(2));
    assert!(shown.stderr.contains("`articles` is of kind `ingest`, and has no passages"), "{}", shown.stderr);
    let shown = live.run(&["search", "passage", "late"]);
    assert!(shown.stderr.contains("did you mean `passages`?"), "{}", shown.stderr);
}

#[test]
fn mistakes_of_an_embedding_are_told_at_their_key() {
    let Some(live) = live("embedding_mistakes") else { return };
    articles(&live, &[(1, "Flights", "One.")]);
    live.write(
        "pipeline.yaml",
        "version: 1\nname: texts\nassets:\n  articles: { kind: ingest, from: { path: articles.ndjson }, id: [n] }\n",
    );
    live.expect(0, &["run"]);
    let broken = |from: &str, to: &str| {
        pipeline(&live, "");
        let text = std::fs::read_to_string(live.path("pipeline.yaml")).unwrap();
        assert!(text.contains(from));
        live.write("pipeline.yaml", text.replace(from, to));
        live.run(&["run"]).stderr
    };
    let shown = broken("[title, body]", "[titel, body]");
    assert!(shown.contains("`articles` has no field `titel`") && shown.contains("did you mean `title`?"), "{shown}");
    let shown = broken("[title, body]", "\"{title\"");
    assert!(shown.contains("the brace of `{title` is not closed"), "{shown}");
    let shown = broken("    text: { tokenizer: tokenizer.json, pooling: mean, max_tokens: 32 }\n", "");
    assert!(shown.contains("the model tiny has no tokenizer") && shown.contains("models.tiny.text"), "{shown}");
    let shown = broken("tokenizer: tokenizer.json", "tokenizer: none.json");
    assert!(shown.contains("none.json"), "{shown}");

    // A run that ends here has registered the model.
    let table = [
        (
            "    chunk: { by: tokens, size: 10, overlap: 10 }\n",
            "an overlap of 10 tokens is not less than the size of 10 tokens",
        ),
        ("    chunk: { by: tokens, size: 100 }\n", "passages of 100 tokens are longer than the"),
        ("    server: { url: \"http://127.0.0.1:1\", model: m }\n", "`model` and `server` exclude each other"),
        ("    time: text\n", "`text` is a field of passages themselves"),
    ];
    for (more, message) in table {
        pipeline(&live, more);
        let shown = live.run(&["run"]);
        assert!(shown.stderr.contains(message), "{more}: {}", shown.stderr);
    }
}
