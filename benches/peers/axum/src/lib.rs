//! Registers with reqwest, serves with axum on a `current_thread` runtime, and shuts down on SIGTERM.

use std::env;
use std::error::Error;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 8081;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Binds the port, registers, subscribes to telemetry if a `subscription` is given, and serves until SIGTERM.
pub async fn run(name: &str, subscription: Option<&'static str>, router: Router) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(("127.0.0.1", PORT)).await?;
    let platform = format!("http://{}", env::var("EXTENSION_API_ADDR")?);
    let client = reqwest::Client::new();
    client
        .post(format!("{platform}/extension/register"))
        .header("functiongraph-extension-name", name)
        .header(
            "functiongraph-extension-address",
            format!("127.0.0.1:{PORT}"),
        )
        .send()
        .await?
        .error_for_status()?;
    if let Some(subscription) = subscription {
        client
            .post(format!("{platform}/telemetry"))
            .header("content-type", "application/json")
            .body(subscription)
            .send()
            .await?
            .error_for_status()?;
    }
    let serve = tokio::spawn(async { axum::serve(listener, router).await });
    terminate.recv().await;
    serve.abort();
    Ok(())
}
