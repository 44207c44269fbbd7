//! The Python SDK, with oteltap as the collector, which prints each item as a line of JSON.

use std::net::SocketAddr;

use fg_emulator::Platform;
use serde_json::Value;
use tokio::process::Command;

use crate::function::{Mode, boot_function};
use crate::program::Program;
use crate::{Result, boot, derived_ids, extension, free_address, variable};

async fn start(address: SocketAddr) -> Result<Program> {
    let mut command = Command::new("python3");
    command
        .args(["-u", "-m", "oteltap", "--port", &address.port().to_string()])
        .env("PYTHONPATH", variable("OTELTAP")?);
    Program::start(&mut command, address).await
}

/// Returns the items that have been printed.
fn items(printed: &str) -> Vec<Value> {
    let lines = printed.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Returns the spans with this name in the order of arrival.
fn spans(printed: &str, name: &str) -> Vec<Value> {
    let is_span = |item: &Value| item["name"] == name && item["spanId"].is_string();
    items(printed).into_iter().filter(is_span).collect()
}

/// Returns the attribute of a span or a log record.
fn attribute(item: &Value, key: &str) -> Option<String> {
    let attributes = item["attributes"].as_array()?;
    let attribute = attributes
        .iter()
        .find(|attribute| attribute["key"] == key)?;
    Some(attribute["value"]["stringValue"].as_str()?.to_owned())
}

/// Runs the function, and returns the ID of its invocation and what the collector has received when it has all of it.
async fn run(mode: Mode, variables: &[(&str, &str)]) -> Result<(String, String)> {
    let (collector, receiver) = (free_address().await?, free_address().await?);
    let mut oteltap = start(collector).await?;
    let platform = Platform::start().await?;
    // It does not decompress.
    let extension = extension(collector, receiver).env("OTEL_EXPORTER_OTLP_COMPRESSION", "none");
    boot(&platform, extension).await?;
    let _directory = boot_function(&platform, mode, receiver, variables).await?;
    let invoked = platform.invoke().await?;
    invoked.assert_ok();
    platform.wait_for_telemetry().await;
    for name in ["helloWorld", "handler", "query"] {
        oteltap
            .wait_until(name, |printed| !spans(printed, name).is_empty())
            .await?;
    }
    for text in ["no stock left", "shop.orders"] {
        oteltap.wait_for(&[text.to_owned()]).await?;
    }
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(shutdown.extensions[0].stderr(), "");
    Ok((invoked.trace_id, oteltap.printed))
}

fn log(printed: &str) -> Result<Value> {
    let is_log = |item: &Value| item["body"]["stringValue"] == "no stock left";
    let log = items(printed).into_iter().find(is_log);
    log.ok_or_else(|| "the log record is not in a line".into())
}

#[tokio::test]
#[ignore = "needs oteltap and the Python SDK: `cargo xtask collectors` installs them and runs this"]
async fn recipe_puts_the_spans_of_the_function_below_the_invocation() -> Result<()> {
    for compression in ["none", "gzip"] {
        let variables = [("OTEL_EXPORTER_OTLP_COMPRESSION", compression)];
        let (id, printed) = run(Mode::Recipe, &variables).await?;
        let (trace_id, span_id) = derived_ids(&id);
        let (invocation, query) = (spans(&printed, "helloWorld"), spans(&printed, "query"));
        assert_eq!(invocation.len(), 1);
        assert_eq!(invocation[0]["traceId"], trace_id);
        assert_eq!(invocation[0]["spanId"], span_id);
        // The handler of the guide's example, too.
        let handlers = spans(&printed, "handler");
        assert!((1..=2).contains(&handlers.len()));
        for handler in &handlers {
            assert_eq!(handler["traceId"], trace_id);
            assert_eq!(handler["parentSpanId"], span_id);
        }
        assert!(
            handlers
                .iter()
                .any(|it| it["spanId"] == query[0]["parentSpanId"])
        );
        let log = log(&printed)?;
        assert_eq!(log["traceId"], trace_id);
        assert_eq!(log["spanId"], query[0]["spanId"]);
        assert_eq!(attribute(&log, "faas.invocation_id"), Some(id));
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs oteltap and the Python SDK: `cargo xtask collectors` installs them and runs this"]
async fn trace_that_is_flushed_is_joined() -> Result<()> {
    let (id, printed) = run(Mode::Joined, &[]).await?;
    let (invocation, handler) = (spans(&printed, "helloWorld"), spans(&printed, "handler"));
    assert_eq!((invocation.len(), handler.len()), (1, 1));
    assert_eq!(invocation[0]["traceId"], handler[0]["traceId"]);
    assert_eq!(invocation[0]["spanId"], derived_ids(&id).1);
    assert_eq!(handler[0]["parentSpanId"], invocation[0]["spanId"]);
    let log = log(&printed)?;
    assert_eq!(log["traceId"], handler[0]["traceId"]);
    assert_eq!(log["spanId"], spans(&printed, "query")[0]["spanId"]);
    assert_eq!(attribute(&log, "faas.invocation_id"), Some(id));
    Ok(())
}

#[tokio::test]
#[ignore = "needs oteltap and the Python SDK: `cargo xtask collectors` installs them and runs this"]
async fn trace_that_is_sent_later_is_linked_and_correlated() -> Result<()> {
    let (id, printed) = run(Mode::Linked, &[]).await?;
    let (invocation, handler) = (spans(&printed, "helloWorld"), spans(&printed, "handler"));
    let handler = &handler[0];
    assert_eq!(attribute(handler, "faas.invocation_id"), Some(id));
    // The log record may have named the trace in time.
    if invocation[0]["traceId"] != handler["traceId"] {
        assert_eq!(handler["links"][0]["traceId"], invocation[0]["traceId"]);
        assert_eq!(handler["links"][0]["spanId"], invocation[0]["spanId"]);
    }
    Ok(())
}
