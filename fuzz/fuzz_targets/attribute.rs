//! Fuzzes the tokens of `#[extension(…)]` and of the item that has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension_macros::fuzzing::attribute(data));
