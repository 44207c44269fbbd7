//! Prints each invocation.

use axum::routing::post;
use axum::{Json, Router};
use peer_axum::Result;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    trace_id: String,
    invoked_function_urn: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let router = Router::new().route("/extension/invoke", post(invoke));
    peer_axum::run("extensionHello.sh", None, router).await
}

async fn invoke(Json(invocation): Json<Invocation>) -> Json<Invocation> {
    println!(
        "{} invoked {}",
        invocation.trace_id, invocation.invoked_function_urn
    );
    Json(invocation)
}
