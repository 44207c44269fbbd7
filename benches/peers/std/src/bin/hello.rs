//! Prints each invocation.

use std::fmt::Write;
use std::io;

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

fn main() -> io::Result<()> {
    peer_std::run(
        "extensionHello.sh",
        || Ok(()),
        |request, response| {
            let Ok(invocation) = serde_json::from_slice::<Invocation<'_>>(request) else {
                return;
            };
            println!(
                "{} invoked {}",
                invocation.trace_id, invocation.invoked_function_urn
            );
            let invocation = serde_json::to_string(&invocation).unwrap_or_default();
            let _ = response.write_str(&invocation);
        },
    )
}
