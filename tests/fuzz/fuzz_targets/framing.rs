//! The target `framing` for cargo-fuzz; what it promises stands in `tests/it/protocol/fuzzed/targets/framing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| epollo_fuzz::framing(data));
