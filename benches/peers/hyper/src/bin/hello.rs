//! Prints each invocation, and responds as `fg-extension` does.

use peer_hyper::{Job, Result};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    trace_id: String,
    invoked_function_urn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invoked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    trace_id: &'a str,
    invoked_function_urn: &'a str,
}

static JOB: Job = Job {
    name: "extensionHello.sh",
    path: "/extension/invoke",
    subscription: None,
    handle: |registration, body| {
        let invocation: Invocation = serde_json::from_slice(&body)?;
        println!(
            "{} invoked {}",
            invocation.trace_id, invocation.invoked_function_urn
        );
        let invoked = Invoked {
            function_name: registration.function_name.as_deref(),
            function_version: registration.function_version.as_deref(),
            handler: registration.handler.as_deref(),
            trace_id: &invocation.trace_id,
            invoked_function_urn: &invocation.invoked_function_urn,
        };
        Ok(serde_json::to_vec(&invoked)?.into())
    },
};

fn main() -> Result<()> {
    peer_hyper::run(&JOB)
}
