//! Test support: extensions as child processes, a scripted platform, and an HTTP client.
//!
//! They use blocking sockets and are independent of the crates under test.

mod client;
mod cpu;
mod platform;
mod process;

use std::path::PathBuf;

pub use client::{Client, Response, post, request};
pub use cpu::compute;
pub use platform::{ScriptedPlatform, ScriptedResponse};
pub use process::{ExitedProcess, Extension, Start, Stream};

/// Returns the contents of a golden file.
///
/// # Panics
///
/// Panics if the file does not exist or is not valid JSON.
#[must_use]
pub fn golden(name: &str) -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the invoke event of the golden file, with this trace ID.
#[must_use]
pub fn event(trace_id: &str) -> String {
    let mut event = golden("invoke-request.json");
    event["traceId"] = trace_id.into();
    event.to_string()
}
