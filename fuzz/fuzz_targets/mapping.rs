//! A mapping comes from a file or a server of any version: what is read is written again as it was,
//! differs in nothing from itself, and two of them can be compared.
#![no_main]

use es_core::Mapping;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|pair: (&str, &str)| {
    let Ok(mapping) = serde_json::from_str::<Mapping>(pair.0) else { return };
    let written = serde_json::to_value(&mapping).expect("a mapping can be written");
    let again: Mapping = serde_json::from_value(written.clone()).expect("what was written can be read");
    assert_eq!(again, mapping);
    assert_eq!(serde_json::to_value(&again).ok(), Some(written));
    assert!(mapping.diff(&mapping).is_empty());
    let _ = mapping.fields();
    if let Ok(other) = serde_json::from_str::<Mapping>(pair.1) {
        let _ = mapping.diff(&other);
        let _: Value = serde_json::to_value(mapping.overridden_by(&other)).expect("a mapping can be written");
    }
});
