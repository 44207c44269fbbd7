//! Tests of the responses: status, headers, and format.

use prost::Message;

use super::client::head;
use super::*;
use crate::rpc_status::RpcStatus;

#[tokio::test]
async fn response_has_the_format_of_the_request() {
    let fixture = Fixture::without_collector();
    let mut client = fixture.connect().await;
    let reply = client.post("/v1/traces", &[PROTOBUF], &span("a")).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b""[..]));
    assert!(
        reply
            .head
            .contains("content-type: application/x-protobuf\r\n")
    );
    // Also with a parameter.
    let json = "Content-Type: Application/JSON; charset=utf-8";
    let reply = client
        .post("/v1/traces", &[json], b"{\"resourceSpans\":[]}")
        .await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"{}"[..]));
    assert!(reply.head.contains("content-type: application/json\r\n"));

    let reply = client.post("/v1/logs", &[PROTOBUF], b"\xff").await;
    let status = RpcStatus::decode(reply.body.as_slice()).unwrap();
    assert_eq!((reply.status, status.code), (400, 3));
    assert!(
        status
            .message
            .starts_with("the body is not an OTLP request in protobuf: ")
    );
    let reply = client.post("/v1/logs", &[JSON], b"{").await;
    let status: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &status["code"]), (400, &3.into()));
    let message = status["message"].as_str().unwrap();
    assert!(
        message.starts_with("the body is not an OTLP request in JSON: "),
        "{message}"
    );
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let fixture = Fixture::without_collector();
    for (method, path, headers, status) in [
        ("POST", "/v1/traces", &[PROTOBUF][..], 200),
        ("POST", "/v1/traces?a=b", &[PROTOBUF], 200),
        (
            "POST",
            "/v1/traces",
            &[PROTOBUF, "Content-Encoding: identity"],
            200,
        ),
        ("POST", "/v1/spans", &[PROTOBUF], 404),
        ("POST", "/", &[], 404),
        ("GET", "/v1/logs", &[], 405),
        ("PUT", "/v1/metrics", &[JSON], 405),
        ("POST", "/v1/traces", &[], 415),
        ("POST", "/v1/traces", &["Content-Type: text/plain"], 415),
        (
            "POST",
            "/v1/traces",
            &["Content-Type: application/grpc"],
            415,
        ),
        (
            "POST",
            "/v1/traces",
            &[PROTOBUF, "Content-Encoding: zstd"],
            415,
        ),
        ("POST", "/v1/traces", &[PROTOBUF, GZIP], 400),
    ] {
        let mut client = fixture.connect().await;
        client.send(&head(method, path, headers, 0)).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{method} {path} {headers:?}");
        let allows = reply.head.contains("allow: post\r\n");
        assert_eq!(allows, status == 405);
    }
}

#[tokio::test]
async fn ids_of_a_wrong_length_are_rejected() {
    let fixture = Fixture::without_collector();
    let mut client = fixture.connect().await;
    let trace = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","traceId":"IDS","spanId":""}]}]}]}"#;
    let log = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"spanId":"IDS"}]}]}]}"#;
    let metric = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[
        {"asInt":"1","timeUnixNano":"1","exemplars":[{"asInt":"1","traceId":"IDS"}]}]}}]}]}]}"#;
    for (path, body, valid) in [
        ("/v1/traces", trace, "5b8efff798038103d269b633813fc60c"),
        ("/v1/logs", log, "eee19b7ec3c1b174"),
        ("/v1/metrics", metric, "5b8efff798038103d269b633813fc60c"),
    ] {
        for (ids, status) in [(valid, 200), ("", 200), ("5b8e", 400)] {
            let body = body.replace("IDS", ids);
            let reply = client.post(path, &[JSON], body.as_bytes()).await;
            let message = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, status, "{ids}: {message}");
        }
    }
}

#[tokio::test]
async fn disabled_signal_is_accepted_and_dropped() {
    let mut collector = Collector::start().await;
    let fixture = Fixture::start(collector.address, &[("OTEL_LOGS_EXPORTER", "none")]);
    let mut client = fixture.connect().await;
    let reply = client.post("/v1/logs", &[PROTOBUF], b"\x0a\x00").await;
    assert_eq!(reply.status, 200);
    client.post("/v1/traces", &[PROTOBUF], &span("a")).await;
    assert_eq!(names(&received_spans(&mut collector).await), ["a"]);
}

#[tokio::test]
async fn requests_are_rejected_while_half_of_the_buffer_is_in_use() {
    let mut collector = Collector::start().await;
    collector.will_respond(crate::export::tests::collector::ScriptedResponse::Never);
    let fixture = Fixture::start(collector.address, &[("FG_OTLP_BUFFER", "20KB")]);
    let reply = fixture.post_spans(&span(&"x".repeat(9_000))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(names(&received_spans(&mut collector).await).len(), 1);
    let reply = fixture.post_spans(&span(&"x".repeat(5_000))).await;
    assert_eq!(reply.status, 200);
    let reply = fixture.post_spans(&span("a")).await;
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: 1\r\n"), "{}", reply.head);
    let status = RpcStatus::decode(reply.body.as_slice()).unwrap();
    assert_eq!(status.code, 14);
    drop(fixture.exporter);
}

#[tokio::test]
async fn requests_that_arrive_together_do_not_fill_the_buffer() {
    let collector = Collector::start().await;
    collector.will_respond(crate::export::tests::collector::ScriptedResponse::Never);
    let fixture = Fixture::start(collector.address, &[("FG_OTLP_BUFFER", "20KB")]);
    let body = span(&"x".repeat(8_000));
    let head = head(
        "POST",
        "/v1/traces",
        &[PROTOBUF, "Expect: 100-continue"],
        body.len(),
    );
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = fixture.connect().await;
        client.send(&head).await;
        // The request is admitted, since the buffer is empty.
        client.read_continue().await;
        clients.push(client);
    }
    let mut statuses = Vec::new();
    for client in &mut clients {
        client.send(&body).await;
        statuses.push(client.reply().await.status);
    }
    assert_eq!(statuses, [200, 200, 503]);
    drop(fixture.exporter);
}
