//! The result of a query comes from a server of any version, or from something before it: any bytes
//! are a result or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = es_frame::Table::from_esql_json(input);
    let _ = es_frame::Table::from_esql_arrow(input);
    // What does not end like a stream is refused at once.
    let _ = es_frame::Table::from_esql_arrow(&[input, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat());
    if let Ok((decoder, first)) = es_frame::SqlDecoder::of_first_page(input) {
        assert_eq!(decoder.schema(), **first.schema());
        if let Ok(page) = decoder.page(input, first.height()) {
            assert_eq!(page.height(), first.height());
        }
    }
});
