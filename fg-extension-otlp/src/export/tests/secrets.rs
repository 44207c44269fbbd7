//! Tests of secrets in headers, with a scripted secrets cache.

use std::io::Write;
use std::time::Instant;

use super::collector::{Collector, Received, ScriptedResponse};
use super::*;
use crate::export::clock::freeze;

const TOKEN: &str = "0123456789abcdef";

/// Starts an exporter whose header `x-key` contains the secret `api-key` of this cache.
fn exporter_with_secret(
    collector: SocketAddr,
    cache: SocketAddr,
    variables: &[(&str, &str)],
) -> Exporter {
    let cache = cache.to_string();
    let mut all = variables.to_vec();
    all.extend([
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-plain=1,x-key=Key ${secret:api-key}",
        ),
        ("FG_SECRETS_ADDRESS", cache.as_str()),
        ("FG_SECRETS_TOKEN", TOKEN),
    ]);
    exporter(collector, &all)
}

fn value(value: &str) -> ScriptedResponse {
    ScriptedResponse::with(200, &[], value.as_bytes())
}

fn failure(status: u16, error: &str) -> ScriptedResponse {
    let body = format!(r#"{{"error": "{error}"}}"#);
    ScriptedResponse::with(status, &[], body.as_bytes())
}

/// Asserts that a request has the header with the secret.
#[track_caller]
fn assert_key(request: &Received, key: &str) {
    assert_eq!(request.headers["x-key"], format!("Key {key}"));
    assert_eq!(request.headers["x-plain"], "1");
}

/// Flushes spans, and shuts down. Returns the error.
async fn shutdown_error(exporter: &Exporter) -> String {
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.shutdown().await.unwrap_err().to_string()
}

#[tokio::test]
async fn cache_is_asked_once_for_all_signals() {
    let (mut collector, mut cache) = (Collector::start().await, Collector::start().await);
    cache.will_respond(value("key-1\r\n"));
    let exporter = exporter_with_secret(collector.address, cache.address, &[]);
    for _ in 0..2 {
        exporter.enqueue(spans(&["a"]), log_records(&["INFO"]));
        exporter.flush_for_invocation().await;
    }
    for _ in 0..4 {
        assert_key(&collector.received().await, "key-1");
    }
    let asked = cache.received().await;
    assert_eq!(asked.path, "/secrets/api-key");
    assert_eq!(asked.headers["x-secrets-token"], TOKEN);
    assert!(!asked.headers.contains_key("cache-control"));
    exporter.shutdown().await.unwrap();
    assert!(!cache.has_received());
}

#[tokio::test]
async fn value_is_renewed_after_a_minute() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    cache.will_respond(value("key-1"));
    cache.will_respond(value("key-2"));
    let exporter = exporter_with_secret(collector.address, cache.address, &[]);
    for (frozen, key) in [(0, "key-1"), (59, "key-1"), (2, "key-2")] {
        freeze(Duration::from_secs(frozen));
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        assert_key(&collector.received().await, key);
    }
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn rejected_value_is_renewed_and_the_request_sent_again() {
    for status in [401, 403] {
        let (mut collector, mut cache) = (Collector::start().await, Collector::start().await);
        collector.will_respond(ScriptedResponse::status(status));
        for key in ["key-1", "key-2"] {
            cache.will_respond(value(key));
        }
        let exporter = exporter_with_secret(collector.address, cache.address, &[]);
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        for key in ["key-1", "key-2"] {
            let request = collector.received().await;
            assert_key(&request, key);
            assert_eq!(request.names(), ["a"]);
        }
        cache.received().await;
        assert_eq!(cache.received().await.headers["cache-control"], "no-cache");
        exporter.shutdown().await.unwrap();
        assert_eq!(exporter.counters().exported, counts(1, 0));
        assert!(!collector.has_received() && !cache.has_received());
    }
}

#[tokio::test]
async fn request_is_rejected_if_the_value_has_not_changed() {
    let (mut collector, mut cache) = (Collector::start().await, Collector::start().await);
    let body = b"unknown key hunter-22";
    collector.will_respond(ScriptedResponse::with(401, &[], body));
    for _ in 0..2 {
        cache.will_respond(value("hunter-22"));
    }
    let exporter = exporter_with_secret(collector.address, cache.address, &[]);
    let error = shutdown_error(&exporter).await;
    assert!(
        error.ends_with(
            "(status 401 Unauthorized: unknown key ***; check OTEL_EXPORTER_OTLP_HEADERS; the secrets cache has no newer value)"
        ),
        "{error}"
    );
    assert_eq!(exporter.counters().rejected, counts(1, 0));
    for _ in 0..2 {
        cache.received().await;
    }
    collector.received().await;
    assert!(!collector.has_received() && !cache.has_received());
}

#[tokio::test]
async fn request_waits_until_the_cache_has_asked_its_source() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    for _ in 0..3 {
        collector.will_respond(ScriptedResponse::status(401));
    }
    // The cache fetched the value shortly before it was rotated, and does not ask its source at first.
    let aged = |value: &str, age| ScriptedResponse::with(200, &[("age", age)], value.as_bytes());
    for (value, age) in [
        ("key-1", "0"),
        ("key-1", "0"),
        ("key-1", "20"),
        ("key-2", "0"),
    ] {
        cache.will_respond(aged(value, age));
    }
    let exporter = exporter_with_secret(collector.address, cache.address, &[]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(exporter.counters().rejected, counts(0, 0));
    freeze(Duration::from_secs(10));
    exporter.flush_for_invocation().await;
    assert_eq!(exporter.counters().rejected, counts(0, 0));
    freeze(Duration::from_secs(10));
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(1, 0));
    for key in ["key-1", "key-1", "key-1", "key-2"] {
        assert_key(&collector.received().await, key);
    }
}

#[tokio::test]
async fn second_rejection_is_final() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    for key in ["key-1", "key-2"] {
        collector.will_respond(ScriptedResponse::status(403));
        cache.will_respond(value(key));
    }
    let exporter = exporter_with_secret(collector.address, cache.address, &[]);
    let error = shutdown_error(&exporter).await;
    assert!(
        error.ends_with("(status 403 Forbidden; check OTEL_EXPORTER_OTLP_HEADERS)"),
        "{error}"
    );
    for key in ["key-1", "key-2"] {
        assert_key(&collector.received().await, key);
    }
}

#[tokio::test]
async fn request_waits_if_the_value_cannot_be_renewed() {
    let stale = || ScriptedResponse::with(200, &[("x-secret-stale", "true")], b"key-1");
    for response in [failure(502, "the source failed"), stale()] {
        let (mut collector, cache) = (Collector::start().await, Collector::start().await);
        collector.will_respond(ScriptedResponse::status(401));
        cache.will_respond(stale());
        cache.will_respond(response);
        let exporter = exporter_with_secret(collector.address, cache.address, &[]);
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        assert_eq!(exporter.counters().rejected, counts(0, 0));
        // The collector accepts the value in the next attempt.
        exporter.shutdown().await.unwrap();
        for _ in 0..2 {
            assert_key(&collector.received().await, "key-1");
        }
        assert_eq!(exporter.counters().exported, counts(1, 0));
    }
}

#[tokio::test]
async fn cache_may_start_later() {
    let mut collector = Collector::start().await;
    let (socket, address) = reserve_address();
    let exporter = exporter_with_secret(collector.address, address, &[]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert!(!collector.has_received());

    let cache = Collector::start_late(socket);
    cache.will_respond(value("key-1"));
    let request = tokio::time::timeout(TEST_TIMEOUT, collector.received());
    let request = request.await.unwrap();
    assert_key(&request, "key-1");
    assert_eq!(request.names(), ["a"]);
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn older_value_is_used_while_the_cache_fails() {
    let mut collector = Collector::start().await;
    let responses = [
        failure(502, "down"),
        ScriptedResponse::Never,
        ScriptedResponse::Disconnect,
    ];
    for response in responses {
        let mut cache = Collector::start().await;
        cache.will_respond(value("key-1"));
        cache.will_respond(response);
        let exporter = exporter_with_secret(collector.address, cache.address, &[]);
        for seconds in [0, 61] {
            freeze(Duration::from_secs(seconds));
            exporter.enqueue(spans(&["a"]), Vec::new());
            exporter.flush_for_invocation().await;
            assert_key(&collector.received().await, "key-1");
            cache.received().await;
        }
        // The cache is not asked again at once.
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.shutdown().await.unwrap();
        assert_key(&collector.received().await, "key-1");
        assert!(!cache.has_received());
    }
}

#[tokio::test]
async fn value_that_was_deleted_is_not_used() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    cache.will_respond(value("key-1"));
    let exporter = exporter_with_secret(
        collector.address,
        cache.address,
        &[("FG_OTLP_FLUSH_TIMEOUT", "0")],
    );
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    collector.received().await;
    freeze(Duration::from_secs(61));
    for _ in 0..100 {
        cache.will_respond(failure(404, "no such secret"));
    }
    let error = shutdown_error(&exporter).await;
    let reason = format!(
        "(cannot get the secret `api-key`: the secrets cache at {} responded with status 404 Not Found: no such secret)",
        cache.address
    );
    assert!(error.contains(&reason), "{error}");
    assert!(!collector.has_received());
}

#[tokio::test]
async fn shutdown_with_a_cache_that_hangs_has_a_deadline() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    cache.will_respond(ScriptedResponse::Never);
    let cache = cache.address.to_string();
    let endpoint = format!("http://{}", collector.address);
    let config = Config::from_variables(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.as_str()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-key=${secret:api-key}"),
        "FG_SECRETS_ADDRESS" => Some(&cache),
        "FG_SECRETS_TOKEN" => Some(TOKEN),
        _ => None,
    });
    let exporter = Exporter::start(&config.unwrap().unwrap(), |_| Snapshot::default()).unwrap();
    let start = Instant::now();
    let error = shutdown_error(&exporter).await;
    assert!(
        error.starts_with("not exported within 1.2s: 1 span to http"),
        "{error}"
    );
    // The time of the shutdown, and not that of the request to the cache.
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert!(!collector.has_received());
}

#[tokio::test]
async fn value_that_a_header_cannot_contain_is_reported_without_it() {
    let (mut collector, cache) = (Collector::start().await, Collector::start().await);
    for _ in 0..100 {
        cache.will_respond(value("hunter2\r\nx-admin: 1"));
    }
    let flush_timeout = [("FG_OTLP_FLUSH_TIMEOUT", "0")];
    let exporter = exporter_with_secret(collector.address, cache.address, &flush_timeout);
    let error = shutdown_error(&exporter).await;
    let expected = "(cannot get the secret `api-key`: its value cannot be sent in a header, because it contains a line break";
    assert!(
        error.contains(expected) && !error.contains("hunter2"),
        "{error}"
    );
    assert!(!collector.has_received());
}

#[tokio::test]
async fn token_is_read_from_its_file_each_time() {
    let (mut collector, mut cache) = (Collector::start().await, Collector::start().await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let address = cache.address.to_string();
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=${secret:api-key}"),
        ("FG_SECRETS_ADDRESS", address.as_str()),
        ("FG_SECRETS_TOKEN_FILE", path.to_str().unwrap()),
    ];
    let exporter = exporter(collector.address, &variables);
    // The file does not exist yet.
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert!(!cache.has_received());
    cache.will_respond(value("key-1"));
    std::fs::File::create(&path)
        .unwrap()
        .write_all(b"first\n")
        .unwrap();
    collector.received().await;
    assert_eq!(cache.received().await.headers["x-secrets-token"], "first");

    std::fs::write(&path, "second").unwrap();
    freeze(Duration::from_secs(61));
    exporter.enqueue(spans(&["b"]), Vec::new());
    exporter.shutdown().await.unwrap();
    assert_eq!(cache.received().await.headers["x-secrets-token"], "second");
}
