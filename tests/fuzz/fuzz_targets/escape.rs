//! The target `escape` for cargo-fuzz; what it promises stands in `tests/it/protocol/fuzzed/targets/escape.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| epollo_fuzz::escape(data));
