//! Fuzzes what a client sends to the servers of an extension.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension::fuzzing::request_bytes(data));
