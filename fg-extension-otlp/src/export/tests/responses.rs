//! Tests of responses that reject a request: what is sent again, in which form, and what the shutdown reports.

use super::collector::{Collector, ScriptedResponse};
use super::*;

/// Returns names of 1000 bytes each.
fn long_names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:01000}")).collect()
}

fn long_spans(names: &[String]) -> Vec<Span> {
    spans(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn request_is_repeated_without_compression_after_415() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will_respond(ScriptedResponse::with(415, &[], b"unsupported encoding"));
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    exporter.enqueue(spans(&["b"]), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;

    let mut received = Vec::new();
    for _ in 0..4 {
        let request = collector.received().await;
        let is_gzip = request.headers.contains_key("content-encoding");
        received.push((request.names().remove(0), is_gzip));
    }
    received[2..].sort();
    let expected = [("a", true), ("a", false), ("INFO", true), ("b", false)];
    assert_eq!(
        received,
        expected.map(|(name, is_gzip)| (name.to_owned(), is_gzip))
    );
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(2, 1));
    assert!(!collector.has_received());
}

#[tokio::test]
async fn second_415_is_final() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    for _ in 0..2 {
        collector.will_respond(ScriptedResponse::status(415));
    }
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    for _ in 0..2 {
        assert_eq!(collector.received().await.names(), ["a"]);
    }
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error.ends_with(
            "/v1/traces (status 415 Unsupported Media Type; the endpoint must accept `application/x-protobuf`)"
        ),
        "{error}"
    );
    assert!(!collector.has_received());
}

#[tokio::test]
async fn request_that_is_too_large_is_sent_in_parts() {
    let names = long_names(16);
    let mut collector = Collector::start_with_limit(5000).await;
    let exporter = exporter(
        collector.address,
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")],
    );
    exporter.enqueue(long_spans(&names), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;

    let (mut sizes, mut delivered) = (Vec::new(), Vec::new());
    while delivered.len() < names.len() {
        let request = collector.received().await;
        if request.path == "/v1/logs" {
            continue;
        }
        sizes.push(request.names().len());
        if request.is_accepted {
            delivered.extend(request.names());
        }
    }
    assert_eq!(delivered, names);
    // The limit that was learned holds for later requests, too.
    assert_eq!(sizes, [16, 8, 4, 4, 4, 4]);
    let names = long_names(5);
    exporter.enqueue(long_spans(&names), Vec::new());
    exporter.shutdown().await.unwrap();
    assert_eq!(collector.received().await.names(), names[..4]);
    assert_eq!(collector.received().await.names(), names[4..]);
    assert_eq!(exporter.counters().exported, counts(21, 1));
}

#[tokio::test]
async fn record_that_is_too_large_is_dropped_alone() {
    let mut collector = Collector::start_with_limit(5000).await;
    let exporter = exporter(
        collector.address,
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")],
    );
    let large = "x".repeat(6000);
    exporter.enqueue(spans(&["a", &large, "b"]), Vec::new());
    exporter.flush_for_invocation().await;
    let mut delivered = Vec::new();
    while delivered.len() < 2 {
        let request = collector.received().await;
        if request.is_accepted {
            delivered.extend(request.names());
        }
    }
    assert_eq!(delivered, ["a", "b"]);
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "rejected: 1 span by http://{}/v1/traces (status 413 Payload Too Large: <html>too large</html>; \
             the request had {} bytes)",
            collector.address,
            request::encode_span(spans(&[&large]).remove(0)).bytes()
        )
    );
    assert_eq!(exporter.counters().exported, counts(2, 0));
}

#[tokio::test]
async fn metrics_that_are_too_large_are_rejected() {
    let mut collector = Collector::start_with_limit(10).await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let exporter = Exporter::start(&config, |_| with_metrics(&["calls"])).unwrap();
    exporter.metrics_changed();
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error
            .starts_with("nothing was exported; rejected: the latest metrics by http://127.0.0.1:")
            && error.ends_with("(status 413 Payload Too Large: <html>too large</html>)"),
        "{error}"
    );
    assert!(collector.has_received() && !collector.has_received());
}

#[tokio::test]
async fn shutdown_reports_that_nothing_was_exported_and_why() {
    for (status, reason) in [
        (
            401,
            "401 Unauthorized: no key; check OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            403,
            "403 Forbidden: no key; check OTEL_EXPORTER_OTLP_HEADERS",
        ),
    ] {
        let collector = Collector::start().await;
        let endpoint = format!("http://{}", collector.address);
        let config = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
        let exporter = Exporter::start(&config, |_| with_metrics(&["calls"])).unwrap();
        for _ in 0..3 {
            collector.will_respond(ScriptedResponse::with(status, &[], b"no key"));
        }
        exporter.enqueue(spans(&["a", "b"]), log_records(&["INFO"]));
        exporter.metrics_changed();
        let error = exporter.shutdown().await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "nothing was exported; rejected: 2 spans by {endpoint}/v1/traces, 1 log record by {endpoint}/v1/logs, \
                 the latest metrics by {endpoint}/v1/metrics (status {reason})"
            )
        );
    }
}

#[tokio::test]
async fn web_page_is_not_a_success() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    let html = [("content-type", "Text/HTML; charset=utf-8")];
    collector.will_respond(ScriptedResponse::with(200, &html, b"<html>Sign in</html>"));
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);
    assert_eq!(exporter.counters().rejected, counts(1, 0));
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "nothing was exported; rejected: 1 span by http://{}/v1/traces (this is not an OTLP endpoint, since it \
             responds with status 200 OK and a web page (text/html); check the URL; \
             the usual paths are /v1/traces, /v1/metrics and /v1/logs)",
            collector.address
        )
    );
}

#[tokio::test]
async fn rejection_has_a_hint() {
    let collector = Collector::start().await;
    let location = "https://me:secret@other.example/v1/traces?key=secret";
    for (response, hint) in [
        (
            ScriptedResponse::status(404),
            "status 404 Not Found; check the path of the URL; the usual paths are /v1/traces, /v1/metrics and /v1/logs",
        ),
        (
            ScriptedResponse::status(405),
            "status 405 Method Not Allowed; check the path of the URL; the usual paths are /v1/traces, /v1/metrics and /v1/logs",
        ),
        (
            ScriptedResponse::with(308, &[("location", location)], b""),
            "status 308 Permanent Redirect; it redirects to https://other.example/v1/traces, and redirects are not \
             followed; write the final URL",
        ),
    ] {
        let exporter = exporter(collector.address, &[]);
        collector.will_respond(response);
        exporter.enqueue(spans(&["a"]), Vec::new());
        let error = exporter.shutdown().await.unwrap_err().to_string();
        assert!(error.ends_with(&format!(" ({hint})")), "{error}");
    }
}

#[tokio::test]
async fn own_receiver_behind_another_name_receives_nothing() {
    let mut collector = Collector::start().await;
    // The system reads this as a short form of the address.
    let endpoint = format!("http://127.1:{}", collector.address.port());
    let mut config = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    config.disable_own_endpoints(collector.address);
    let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
    exporter.enqueue(spans(&["a"]), Vec::new());
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "nothing was exported; rejected: 1 span by {endpoint}/v1/traces (this is the extension's own receiver; \
             set FG_OTLP_ENDPOINT to the URL of a collector)"
        )
    );
    assert!(!collector.has_received());
}

#[tokio::test]
async fn key_in_a_response_is_not_repeated() {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}?v=1&token=abcdefgh", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%2012345678%20of-me,x-tenant=a",
        ),
    ]);
    // The last one is cut in the middle.
    let cut = format!("{}12345678", "x".repeat(295));
    for (body, shown) in [
        (
            "no route for /v1/traces?v=1&token=abcdefgh with key 12345678",
            "no route for /v1/traces?*** with key ***;",
        ),
        ("v=1: unknown token `abcdefgh`", "v=1: unknown token `***`;"),
        (&cut, &format!("{}***;", "x".repeat(295))),
    ] {
        let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
        collector.will_respond(ScriptedResponse::with(403, &[], body.as_bytes()));
        exporter.enqueue(spans(&["a"]), Vec::new());
        let error = exporter.shutdown().await.unwrap_err().to_string();
        let expected = format!("/v1/traces (status 403 Forbidden: {shown}");
        assert!(error.contains(&expected), "{error}");
    }
}
