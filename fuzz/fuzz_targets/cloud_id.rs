//! A cloud id and a list of addresses come from a person or a page: any text is an endpoint or an
//! error, and what comes out has a host.
#![no_main]

use es_core::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Endpoint::cloud_id(text);
    if let Ok(Endpoint::Hosts(hosts)) = Endpoint::hosts(text) {
        assert!(!hosts.is_empty());
        assert!(hosts.iter().all(|host| host.has_host()));
    }
});
