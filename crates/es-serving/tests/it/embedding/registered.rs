//! A model of texts in the registry, with its tokenizer in the folder.

use es_serving::ErrorKind;
use es_serving::embedding::{EmbedOptions, OnnxEmbedder, Pooling, Purpose, TextEncoder};
use es_serving::onnx::OnnxFile;
use es_serving::registry::{Checksum, ModelFolder, NewVersion, Registered, Version};
use es_testing::Scope;
use serde_json::json;

use super::{encoder, folder, runtime, tiny};
use crate::registry::registry;

/// The tiny model in a folder, as a version to be registered.
pub(crate) async fn stored(models: &ModelFolder) -> NewVersion {
    let file = models.put(&folder().join("model.onnx")).await.unwrap();
    let tokenizer = models.put_tokenizer(&folder().join("tokenizer.json")).await.unwrap();
    let signature = OnnxFile::read(&folder().join("model.onnx")).unwrap().text_signature();
    NewVersion::onnx("tiny", &file, signature).with_text(encoder(Pooling::Mean).with_tokenizer(tokenizer)).by("ana")
}

#[tokio::test]
async fn a_version_keeps_its_text_encoder_and_is_opened_with_both_files() {
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "text_version");
    let registry = registry(&node, &scope).await;
    let place = tempfile::tempdir().unwrap();
    let models = ModelFolder::new(place.path());
    let new = stored(&models).await;
    let version = registry.register(new.clone()).await.unwrap().version().clone();
    assert_eq!(version.text, new.text);
    let again = registry.version(&"models:/tiny/1".parse().unwrap()).await.unwrap();
    assert_eq!(again, version);
    assert!(matches!(registry.register(new.clone()).await.unwrap(), Registered::Existing { .. }));
    // Another pooling of the same file is another version.
    let other = new.text.clone().map(|text| TextEncoder { pooling: Pooling::Cls, ..text });
    let second = registry.register(NewVersion { text: other, ..new.clone() }).await.unwrap().version().clone();
    assert_eq!(second.number, 2);
    let difference = registry.diff("tiny", 1, 2).await.unwrap();
    let changes: Vec<_> = difference.text.iter().map(|change| (change.name.as_str(), change.to.clone())).collect();
    assert_eq!(changes, [("/pooling", Some(json!("cls")))]);
    assert!(!difference.has_same_interface());

    let Some(runtime) = runtime() else { return };
    let opened = OnnxEmbedder::open_version(&runtime, &models, &version, EmbedOptions::default()).await.unwrap();
    assert_eq!(opened.identity(), "models:/tiny/1");
    let found = opened.embed(&["the flight"], Purpose::Passage).unwrap();
    let expected = tiny(&runtime, &encoder(Pooling::Mean), EmbedOptions::default()).unwrap();
    assert_eq!(found, expected.embed(&["the flight"], Purpose::Passage).unwrap());

    let open = |version: Version| {
        let (runtime, models) = (&runtime, &models);
        async move { OnnxEmbedder::open_version(runtime, models, &version, EmbedOptions::default()).await }
    };
    let tokenizer = version.text.clone().unwrap().tokenizer;
    std::fs::write(place.path().join(&tokenizer.path), "{}").unwrap();
    let error = open(version.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().starts_with("the tokenizer file "), "{error}");
    std::fs::remove_file(place.path().join(&tokenizer.path)).unwrap();
    assert_eq!(open(version.clone()).await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = open(Version { text: None, ..version }).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Invalid, "models:/tiny/1 has no file with a text encoder, and embeds no texts")
    );
}

#[tokio::test]
async fn a_text_encoder_that_does_not_fit_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let new = stored(&ModelFolder::new(place.path())).await;
    let Some(node) = es_testing::plain().await else { return };
    let scope = Scope::new(&node, "text_version_refused");
    let registry = registry(&node, &scope).await;
    let text = new.text.clone().unwrap();
    let mut elsewhere = text.clone();
    elsewhere.tokenizer.path = "tokenizer.json".to_owned();
    let sum = Checksum::of(&std::fs::read(folder().join("tokenizer.json")).unwrap());
    assert_eq!(sum, text.tokenizer.sha256);
    let served = NewVersion::served("tiny", "http://models.example.org", new.signature.clone()).by("ana");
    let table = [
        (
            NewVersion { text: Some(elsewhere), ..new.clone() },
            format!("the tokenizer of this checksum is at {}, and not at tokenizer.json", text.tokenizer.path),
        ),
        (served.with_text(text), "a model at a server has its own tokenizer, and no text encoder".to_owned()),
    ];
    for (new, message) in table {
        let error = registry.register(new).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, message));
    }
}
