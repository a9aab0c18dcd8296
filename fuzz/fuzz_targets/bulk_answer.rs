//! The answer to a bulk request comes from a server of any version, or from something before it: any
//! bytes are an answer or an error, and an answer accounts for every document that was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let documents = usize::from(input.0);
    if let Ok(answer) = es_bulk::read_answer(input.1, documents) {
        let settled = answer.created + answer.updated + answer.unchanged + answer.deleted;
        assert_eq!(settled + answer.failures() as u64, documents as u64);
    }
});
