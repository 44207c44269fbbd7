//! Tests of `cargo fg dev` and `cargo fg invoke`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod attach;
mod build_script;
mod cargo_options;
mod conflicts;
mod escapes;
pub(crate) mod export;
mod faults;
mod function;
mod instance;
mod invoke;
mod journal;
pub(crate) mod json;
mod keyboard;
mod plain;
mod rebuild;
pub(crate) mod running;
mod shutdown;
mod telemetry_loop;
