//! The body of a failed request comes from whatever answered: any bytes are an Elasticsearch error
//! or none, and its summary can be printed.
#![no_main]

use es_core::ServerError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Some(error) = ServerError::parse(body) {
        let _ = error.summary();
    }
});
