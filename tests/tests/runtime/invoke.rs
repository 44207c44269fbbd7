//! Tests of the extension's HTTP server: invocations, invalid requests, and handlers that fail.

use fg_extension_tests::{Client, Extension, Response, Start, event, golden, post, request};
use serde_json::{Value, json};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const INVOKE: &str = "/extension/invoke";

fn registered() -> Extension {
    Start::new(FIXTURE).registered()
}

#[track_caller]
fn assert_error(response: &Response, status: u16, error_type: &str, message: &str) {
    let json = response.json();
    assert_eq!(response.status, status, "{json}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(json["errorInfo"]["errorType"], error_type, "{json}");
    let actual = json["errorInfo"]["errorMessage"]
        .as_str()
        .unwrap_or_default();
    assert!(actual.starts_with(message), "{actual}");
    assert_eq!(
        json.as_object().map(|fields| fields.len()),
        Some(1),
        "{json}"
    );
}

#[test]
fn golden_event_gets_the_golden_response() {
    let mut extension = registered();
    let body = golden("invoke-request.json").to_string();
    for path in [INVOKE, "/extension/register", "/extension/invoke?retry=1"] {
        let response = post(extension.port(), path, &body);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json(), golden("invoke-response.json"), "{path}");
        extension.wait_for("handled 3da1f2dc-3222-475e-9205-e2e6c6318895");
    }
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stdout.as_str(), exited.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn unknown_fields_and_content_types_are_accepted() {
    let extension = registered();
    let deep = (0..100).fold(json!({}), |value, _| json!([value]));
    let body =
        json!({"traceId": "1", "invokedFunctionUrn": "anything", "deadlineMs": 1, "deep": deep})
            .to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
        "",
    ] {
        let head = format!(
            "POST {INVOKE} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let response = Client::connect(extension.port())
            .send(head + &body)
            .receive();
        assert_eq!(
            (response.status, &response.json()["traceId"]),
            (200, &json!("1")),
            "{content_type}"
        );
    }
}

#[test]
fn invalid_bodies_are_rejected_and_the_extension_keeps_running() {
    let extension = registered();
    let brackets = "[".repeat(200_000);
    let nested = format!(r#"{{"traceId":"1","invokedFunctionUrn":"x","a":{brackets}"#);
    let invalid = "invalid invocation: ";
    for (body, message) in [
        (b"".as_slice(), "the body is empty; expected an invocation"),
        (b" \n", "the body is empty; expected an invocation"),
        (b"{", invalid),
        (b"traceId=1", invalid),
        (b"[]", "invalid invocation: expected a valid JSON object"),
        (b"null", invalid),
        (b"\"text\"", invalid),
        (b"{}", "invalid invocation: missing field `traceId`"),
        (
            br#"{"traceId":1,"invokedFunctionUrn":"x"}"#,
            "invalid invocation: `traceId` must be a string",
        ),
        (br#"{"traceId":null,"invokedFunctionUrn":"x"}"#, invalid),
        (
            br#"{"traceId":"1","invokedFunctionUrn":"x"} trailing"#,
            invalid,
        ),
        (brackets.as_bytes(), invalid),
        (nested.as_bytes(), "invalid invocation: "),
    ] {
        assert_error(
            &post(extension.port(), INVOKE, body),
            400,
            "InvalidInvocation",
            message,
        );
    }
    assert_eq!(post(extension.port(), INVOKE, event("1")).status, 200);
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stdout.as_str()),
        (Some(0), "invoked 1\nhandled 1\n")
    );
    assert_eq!(
        exited.stderr.lines().count(),
        13,
        "one line each: {}",
        exited.stderr
    );
}

#[test]
fn other_paths_and_methods_are_rejected() {
    let extension = registered();
    for path in [
        "/",
        "/extension",
        "/extension/invoke/",
        "/extension/Invoke",
        "/telemetry",
    ] {
        assert_error(
            &post(extension.port(), path, event("1")),
            404,
            "NotFound",
            &format!("unknown path {path};"),
        );
    }
    for path in [INVOKE, "/extension/register", "/extension/shutdown"] {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let response = Client::connect(extension.port())
                .send(request(method, path, ""))
                .receive();
            let message = format!("{path} accepts only POST, not {method}");
            assert_error(&response, 405, "MethodNotAllowed", &message);
            assert_eq!(response.header("allow"), Some("POST"));
        }
    }
    let exited = extension.terminate();
    assert_eq!(exited.stdout, "");
    // It is unknown (?) where the platform sends its shutdown event, so every unknown request must be logged.
    assert_eq!(
        exited.stderr.lines().count(),
        5 + 3 * 5,
        "one line each: {}",
        exited.stderr
    );
    let line = "WARN extensionFixture.sh: rejected a request with status 404: unknown path /telemetry; \
                invocations are accepted at POST /extension/invoke";
    assert!(
        exited.stderr.lines().any(|logged| logged == line),
        "{}",
        exited.stderr
    );
}

#[test]
fn bodies_over_6_mb_are_rejected() {
    let extension = registered();
    let event = |length: usize| {
        let start = r#"{"traceId":"1","invokedFunctionUrn":"x","fill":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    let limit = 6 * 1024 * 1024;
    assert_eq!(post(extension.port(), INVOKE, event(limit)).status, 200);

    let too_large = |response: &Response| {
        assert_error(
            response,
            413,
            "PayloadTooLarge",
            "the body is larger than 6 MB",
        );
    };
    // This client writes the whole body before it reads the response, and then reuses the connection.
    let mut client = Client::connect(extension.port());
    too_large(
        &client
            .send(request("POST", INVOKE, event(limit + 1)))
            .receive(),
    );
    too_large(
        &client
            .send(request("POST", INVOKE, event(3 * limit)))
            .receive(),
    );
    // This request does not declare the length of its body.
    let head = format!("POST {INVOKE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(head);
    for _ in 0..8 {
        client
            .send(format!("{:x}\r\n", 1024 * 1024))
            .send(vec![b'x'; 1024 * 1024])
            .send("\r\n");
    }
    too_large(&client.send("0\r\n\r\n").receive());
    // This client does not send the whole body.
    let head = format!("POST {INVOKE} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx");
    too_large(&Client::connect(extension.port()).send(head).receive());
    // This client waits for `100 Continue` and never sends the body.
    let head = format!(
        "POST {INVOKE} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        limit + 1
    );
    too_large(&Client::connect(extension.port()).send(head).receive());
}

#[test]
fn handler_failure_is_reported_and_the_extension_keeps_running() {
    let mut extension = registered();
    let response = post(extension.port(), INVOKE, event("error"));
    assert_eq!(
        (response.status, response.json()),
        (500, golden("invoke-failure.json"))
    );
    let response = post(extension.port(), INVOKE, event("lines"));
    assert_error(&response, 500, "HandlerError", "two\nlines");
    let response = post(extension.port(), INVOKE, event("panic"));
    assert_error(
        &response,
        500,
        "HandlerPanic",
        "panicked at tests/src/bin/fixture.rs:",
    );
    assert_eq!(post(extension.port(), INVOKE, event("1")).status, 200);
    extension.wait_for("handled 1");

    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", exited.stderr);
    assert_eq!(
        lines[0],
        "ERROR extensionFixture.sh: invocation error failed: this one went wrong"
    );
    assert_eq!(
        lines[1],
        r"ERROR extensionFixture.sh: invocation lines failed: two\nlines"
    );
    let panic =
        lines[2].strip_prefix("ERROR extensionFixture.sh: invocation panic failed: panicked at ");
    let panic = panic.unwrap_or_else(|| panic!("{}", lines[2]));
    assert!(
        panic.starts_with("tests/src/bin/fixture.rs:") && panic.ends_with(": this one panicked"),
        "{panic}"
    );
}

#[test]
fn panic_in_display_and_resumed_panic_are_reported() {
    let extension = registered();
    let response = post(extension.port(), INVOKE, event("panic in display"));
    assert_error(
        &response,
        500,
        "HandlerPanic",
        "panicked at tests/src/bin/fixture.rs:",
    );
    assert_eq!(post(extension.port(), INVOKE, event("caught")).status, 200);
    // The report does not contain the location of the panic that was caught before.
    let response = post(extension.port(), INVOKE, event("resumed"));
    assert_error(
        &response,
        500,
        "HandlerPanic",
        "panicked: this panic is resumed",
    );
    let exited = extension.terminate();
    assert_eq!(exited.stderr.lines().count(), 2, "{}", exited.stderr);
}

#[test]
fn log_events_of_a_handler_are_one_line_each() {
    let extension = registered();
    assert_eq!(post(extension.port(), INVOKE, event("log")).status, 200);
    assert_eq!(
        extension.terminate().stderr,
        "WARN extensionFixture.sh: fixture: two\\nlines attempt=3\n"
    );
}

#[test]
fn invocations_run_concurrently() {
    let extension = registered();
    // None of the handlers finishes before all 64 have started.
    let mut clients: Vec<_> = (0..64).map(|_| Client::connect(extension.port())).collect();
    for client in &mut clients {
        client.send(request("POST", INVOKE, event("together")));
    }
    for client in &mut clients {
        assert_eq!(client.receive().status, 200);
    }
}

#[test]
fn one_connection_carries_many_invocations() {
    let extension = registered();
    let mut client = Client::connect(extension.port());
    for i in 0..100 {
        let response = client
            .send(request("POST", INVOKE, event(&i.to_string())))
            .receive();
        assert_eq!(
            (response.status, &response.json()["traceId"]),
            (200, &Value::from(i.to_string()))
        );
    }
    // The responses to pipelined requests arrive in order.
    client.send(
        [
            request("POST", INVOKE, event("a")),
            request("POST", INVOKE, event("b")),
        ]
        .concat(),
    );
    assert_eq!(client.receive().json()["traceId"], "a");
    assert_eq!(client.receive().json()["traceId"], "b");
}

#[test]
fn half_closed_client_gets_a_response() {
    let extension = registered();
    let mut client = Client::connect(extension.port());
    assert_eq!(
        client
            .send(request("POST", INVOKE, event("1")))
            .close_write()
            .receive()
            .status,
        200
    );
    assert!(client.is_closed());
}

#[test]
fn handler_finishes_after_the_platform_disconnects() {
    let mut extension = registered();
    Client::connect(extension.port()).send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    // The client has disconnected.
    extension.type_line("go on");
    extension.wait_for("handled hold");
    assert_eq!(extension.terminate().code, Some(0));
}
