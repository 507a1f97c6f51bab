//! The target `chat` for cargo-fuzz; what it promises stands in `tests/it/protocol/fuzzed/targets/chat.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| epollo_fuzz::chat(data));
