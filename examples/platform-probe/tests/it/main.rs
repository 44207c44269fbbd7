//! Integration tests: the report of a run in the emulator, and whether it contains values.
#![cfg(target_os = "linux")]

mod emulator;
mod experiments;
mod values;

const SCRIPT: &str = "extensionPlatformProbe.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_platform-probe");
