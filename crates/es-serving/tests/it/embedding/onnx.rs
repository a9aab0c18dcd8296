//! Vectors and token ids equal those of ONNX Runtime and tokenizers for Python.

use std::num::{NonZeroU32, NonZeroUsize};

use es_serving::ErrorKind;
use es_serving::embedding::{
    Chunker, Chunking, EmbedBatch, EmbedOptions, Embedded, Embedder, OnnxEmbedder, Pooling, Prefixes, Purpose,
    TextEncoder, TextTokenizer,
};
use es_testing::trained;

use super::{MOST, borrowed, cosine, encoder, folder, rejected, runtime, texts, tiny};

/// Options of every kind: one text a batch, all in one, few tokens, threads and sessions.
fn options() -> Vec<EmbedOptions> {
    let options = |threads: usize, sessions: usize, texts: usize, tokens: usize| EmbedOptions {
        threads: threads.try_into().unwrap(),
        sessions: sessions.try_into().unwrap(),
        batch: EmbedBatch { texts: texts.try_into().unwrap(), tokens: tokens.try_into().unwrap() },
    };
    vec![options(1, 1, 1, 1), options(1, 1, 1_000, 1_000_000), options(1, 3, 7, 100), options(2, 2, 4, 4_096)]
}

fn ids(name: &str) -> Vec<Vec<u32>> {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

/// Compares the vectors of texts with those of Python; a text without one has NaN there.
fn assert_vectors(found: &Embedded, expected: &[f32], least: f64) {
    let dims = expected.len() / found.len();
    for (number, (found, expected)) in found.iter().zip(expected.chunks_exact(dims)).enumerate() {
        match found.vector() {
            None => assert!(expected[0].is_nan(), "text {number}: {found:?}"),
            Some(found) => {
                let cosine = cosine(found, expected);
                assert!(cosine >= least, "text {number}: {cosine}");
            }
        }
    }
}

#[test]
fn token_ids_equal_those_of_tokenizers_for_python() {
    let tokenizer = TextTokenizer::open(&folder().join("tokenizer.json")).unwrap();
    for (text, expected) in texts().iter().zip(ids("tiny.ids.json")) {
        assert_eq!(tokenizer.ids(text).unwrap(), expected, "{text}");
    }
    let Some(model) = es_testing::text_model() else { return };
    let tokenizer = TextTokenizer::open(&model.tokenizer).unwrap();
    for (text, expected) in texts().iter().zip(ids("minilm.ids.json")) {
        assert_eq!(tokenizer.ids(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn vectors_equal_those_of_python_whatever_the_pooling_and_the_batches() {
    let Some(runtime) = runtime() else { return };
    let texts = texts();
    let lengths: Vec<usize> = ids("tiny.ids.json").iter().map(Vec::len).collect();
    for options in options() {
        for (pooling, name) in
            [(Pooling::Mean, "mean"), (Pooling::Cls, "cls"), (Pooling::Max, "max"), (Pooling::None, "none")]
        {
            let embedder = tiny(&runtime, &encoder(pooling), options).unwrap();
            assert_eq!(embedder.dims(), 8);
            let embedded = embedder.embed(&borrowed(&texts), Purpose::Passage).unwrap();
            let expected = trained::floats(&format!("text/tiny.{name}.f32"));
            assert_vectors(&embedded, &expected, 1.0 - 1e-6);
            let mut vectors = embedded.vectors().iter();
            for (number, found) in embedded.iter().enumerate() {
                let reason = match texts[number].as_str() {
                    "NaN is not a number" => "component 0 of its vector is NaN, expected a finite number".to_owned(),
                    _ if lengths[number] > MOST as usize => {
                        format!("the text has {} tokens, and the model takes 64", lengths[number])
                    }
                    _ => {
                        assert_eq!(found.vector(), vectors.next(), "{number}");
                        continue;
                    }
                };
                assert_eq!(rejected(found), reason);
            }
            assert_eq!(vectors.next(), None);
        }
    }
}

#[test]
fn vectors_of_minilm_equal_those_of_python() {
    let (Some(runtime), Some(model)) = (runtime(), es_testing::text_model()) else { return };
    let encoder = TextEncoder::new((), Pooling::Mean, NonZeroU32::new(512).unwrap());
    let texts = texts();
    let expected = trained::floats("text/minilm.f32");
    let options = EmbedOptions { sessions: NonZeroUsize::new(2).unwrap(), ..EmbedOptions::default() };
    let embedder = OnnxEmbedder::open(&runtime, &model.model, &model.tokenizer, &encoder, options).unwrap();
    assert_eq!((embedder.dims(), embedder.identity()), (384, "model.onnx"));
    let embedded = embedder.embed(&borrowed(&texts), Purpose::Query).unwrap();
    assert!(embedded.is_complete());
    assert_vectors(&embedded, &expected, 1.0 - 1e-5);
    for vector in embedded.vectors().iter() {
        let length: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
}

#[test]
fn a_long_text_is_cut_only_where_that_was_chosen() {
    let Some(runtime) = runtime() else { return };
    let long = "late ".repeat(100);
    let given = TextEncoder { max_tokens: NonZeroU32::new(10).unwrap(), ..encoder(Pooling::Mean) };
    let embedder = tiny(&runtime, &given, EmbedOptions::default()).unwrap();
    let embedded = embedder.embed(&["the flight", &long], Purpose::Passage).unwrap();
    assert!(embedded.iter().next().unwrap().vector().is_some());
    assert_eq!(rejected(embedded.iter().nth(1).unwrap()), "the text has 102 tokens, and the model takes 10");
    let cut = tiny(&runtime, &TextEncoder { truncate: true, ..given }, EmbedOptions::default()).unwrap();
    let embedded = cut.embed(&[&long, &"late ".repeat(8)], Purpose::Passage).unwrap();
    let vectors: Vec<&[f32]> = embedded.vectors().iter().collect();
    assert_eq!(vectors[0], vectors[1], "eight tokens and two special ones");
}

#[test]
fn a_text_that_the_model_fails_on_is_rejected_alone() {
    let Some(runtime) = runtime() else { return };
    // More tokens than the model has places for.
    let given = TextEncoder { max_tokens: NonZeroU32::new(200).unwrap(), ..encoder(Pooling::Mean) };
    let embedder = tiny(&runtime, &given, EmbedOptions::default()).unwrap();
    let long = "late ".repeat(70);
    let texts = ["a", "the", &long, "flight"];
    let embedded = embedder.embed(&texts, Purpose::Passage).unwrap();
    let alone = tiny(&runtime, &encoder(Pooling::Mean), options()[0]).unwrap().embed(&["flight"], Purpose::Passage);
    let outcomes: Vec<_> = embedded.iter().collect();
    assert!(rejected(outcomes[2]).starts_with("the model failed on a batch: "), "{outcomes:?}");
    assert!(cosine(outcomes[3].vector().unwrap(), &alone.unwrap().vectors().data) > 1.0 - 1e-6);
    let error = embedder.embed(&[&long], Purpose::Passage).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Scoring, "{error}");
    // The model is as good as before.
    assert!(embedder.embed(&["a"], Purpose::Passage).unwrap().is_complete());
    assert_eq!(embedder.embed(&[], Purpose::Passage).unwrap().len(), 0);
}

#[test]
fn prefixes_stand_before_the_texts_of_their_purpose() {
    let Some(runtime) = runtime() else { return };
    let prefixes = Prefixes { passage: "passage: ".to_owned(), query: "query: ".to_owned() };
    let with = tiny(&runtime, &TextEncoder { prefixes, ..encoder(Pooling::Mean) }, EmbedOptions::default()).unwrap();
    let without = tiny(&runtime, &encoder(Pooling::Mean), EmbedOptions::default()).unwrap();
    for (purpose, text) in [(Purpose::Passage, "passage: late"), (Purpose::Query, "query: late")] {
        let found = with.embed(&["late"], purpose).unwrap();
        assert_eq!(found, without.embed(&[text], purpose).unwrap());
    }
    // Special tokens and the prefix take four of 64.
    assert_eq!(with.token_limit().most, Some(60));
}

#[test]
fn a_model_that_does_not_fit_the_encoder_is_named() {
    let Some(runtime) = runtime() else { return };
    let error = |encoder: &TextEncoder<()>| tiny(&runtime, encoder, EmbedOptions::default()).unwrap_err();
    let named = |name: &str| TextEncoder { output: Some(name.to_owned()), ..encoder(Pooling::Mean) };
    let found = error(&named("sentence_embedding"));
    assert_eq!(
        (found.kind(), found.to_string().as_str()),
        (ErrorKind::Signature, "the model has no output sentence_embedding")
    );
    assert!(found.help().unwrap().contains("pooler_output FP32 [-1, 8]"), "{found:#}");
    let found = error(&named("pooler_output"));
    assert_eq!(found.to_string(), "the output pooler_output is not FP32 [batch, tokens, dims]");
    assert_eq!(error(&named("")).kind(), ErrorKind::Invalid);
    let short = TextEncoder { max_tokens: NonZeroU32::new(2).unwrap(), ..encoder(Pooling::Mean) };
    let message = "of 2 tokens 2 are special ones and the prefix, and none is left for a text";
    assert_eq!(error(&short).to_string(), message);
    let rows = trained::folder().join("logistic.onnx");
    let tokenizer = folder().join("tokenizer.json");
    let found = OnnxEmbedder::open(&runtime, &rows, &tokenizer, &encoder(Pooling::Mean), EmbedOptions::default());
    let found = found.unwrap_err();
    let message = "the model takes X, and is given input_ids, attention_mask and token_type_ids";
    assert_eq!((found.kind(), found.to_string().as_str()), (ErrorKind::ModelFile, message));
}

#[tokio::test]
async fn passages_of_a_long_text_fit_the_model() {
    let Some(runtime) = runtime() else { return };
    let embedder = Embedder::from(tiny(&runtime, &encoder(Pooling::Mean), EmbedOptions::default()).unwrap());
    let limit = embedder.token_limit();
    let text = texts().join(" ").replace("NaN", "one");
    for chunking in [
        Chunking::Tokens { size: NonZeroU32::new(62).unwrap(), overlap: 10 },
        Chunking::Sentences { size: NonZeroU32::new(9).unwrap(), overlap: 2 },
    ] {
        let passages = Chunker::new(chunking, limit.clone()).unwrap().split(&text).unwrap();
        assert!(passages.len() > 20, "{}", passages.len());
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        let embedded = embedder.embed(&texts, Purpose::Passage).await.unwrap();
        assert!(embedded.is_complete(), "{embedded:?}");
    }
    let too_long = Chunking::Tokens { size: NonZeroU32::new(63).unwrap(), overlap: 0 };
    assert_eq!(Chunker::new(too_long, limit).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn calls_at_the_same_time_have_their_own_vectors() {
    let Some(runtime) = runtime() else { return };
    let options = EmbedOptions { sessions: NonZeroUsize::new(2).unwrap(), ..EmbedOptions::default() };
    let embedder = Embedder::from(tiny(&runtime, &encoder(Pooling::Mean), options).unwrap().identified_as("tiny"));
    assert_eq!((embedder.describe().as_str(), embedder.dims()), ("tiny", Some(8)));
    assert_eq!(embedder.ready().await.unwrap(), 8);
    let words = ["late", "flight", "rain", "snow", "fog", "wind", "storm", "sky"];
    let calls = words.iter().map(|word| {
        let (embedder, texts) = (&embedder, [*word, "the same"]);
        async move { embedder.embed(&texts, Purpose::Passage).await.unwrap().into_vectors() }
    });
    let found = futures::future::join_all(calls).await;
    for (word, vectors) in words.iter().zip(&found) {
        let alone = embedder.embed(&[word], Purpose::Passage).await.unwrap();
        assert!(cosine(&vectors.data[..8], &alone.vectors().data) > 1.0 - 1e-6, "{word}");
        assert_eq!(vectors.data[8..], found[0].data[8..]);
    }
}
