//! Prints the trace ID and the function URN of each invocation.
//!
//! `println!` blocks while nobody reads stdout, and panics if it is closed. `tracing::warn!`, after
//! `cargo add tracing`, does neither.

use fg_extension::{Invocation, extension};

/// Called once for each invocation of the function.
#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(invocation: Invocation) {
    println!(
        "{} invoked {}",
        invocation.trace_id, invocation.invoked_function_urn
    );
}
