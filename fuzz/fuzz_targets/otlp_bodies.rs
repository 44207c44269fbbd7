//! Fuzzes settings, telemetry and a collector's response of the OTLP forwarder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension_otlp::fuzzing::otlp_bodies(data));
