//! Fuzzes what the receiver of the OTLP forwarder accepts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension_otlp::fuzzing::otlp_received(data));
