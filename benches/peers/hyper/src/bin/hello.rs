//! Prints each invocation.

use peer_hyper::Result;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

fn main() -> Result<()> {
    peer_hyper::run("extensionHello.sh", None, |body| {
        let invocation: Invocation<'_> = serde_json::from_slice(&body)?;
        println!(
            "{} invoked {}",
            invocation.trace_id, invocation.invoked_function_urn
        );
        Ok(serde_json::to_vec(&invocation)?.into())
    })
}
