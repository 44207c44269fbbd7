//! What the tests need: extensions as processes, a platform that says what it is told to, and an HTTP
//! client, all on blocking sockets and independent of the crates under test.

mod client;
mod platform;
mod process;

use std::path::PathBuf;

pub use client::{Client, Response, post, request};
pub use platform::{ScriptedPlatform, ScriptedResponse};
pub use process::{ExitedProcess, Extension, Start};

/// The text of a golden file, compact: the wire has no white space, and the files do.
///
/// # Panics
///
/// If it is not there, or is no JSON.
#[must_use]
pub fn golden(name: &str) -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documented event with this trace id.
#[must_use]
pub fn event(trace_id: &str) -> String {
    let mut event = golden("invoke-request.json");
    event["traceId"] = trace_id.into();
    event.to_string()
}
