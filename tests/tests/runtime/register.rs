//! Tests of the registration: the request, the possible responses, and retries.

use fg_extension_tests::{ScriptedPlatform, ScriptedResponse, Start, event, golden, post};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

#[test]
fn request_matches_the_documentation() {
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let extension = Start::new(FIXTURE)
        .env(
            "EXTENSION_API_ADDR",
            format!("http://localhost:{}/", platform.address.port()),
        )
        .start();
    let request = platform.request();
    let (head, body) = request.split_once("\r\n\r\n").expect("a whole request");
    let mut lines: Vec<_> = head.split("\r\n").map(str::to_owned).collect();
    lines[1..].sort();
    assert_eq!(
        lines,
        [
            "POST /extension/register HTTP/1.1".to_owned(),
            "content-length: 0".to_owned(),
            "content-type: application/json".to_owned(),
            format!(
                "functiongraph-extension-address: 127.0.0.1:{}",
                extension.port()
            ),
            "functiongraph-extension-name: extensionFixture.sh".to_owned(),
            format!("host: localhost:{}", platform.address.port()),
        ]
    );
    assert_eq!(body, "");
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn listens_before_it_registers() {
    let platform = ScriptedPlatform::start([ScriptedResponse::Silence]);
    let extension = Start::new(FIXTURE).with(&platform).start();
    let _ = platform.request();
    // The platform has not responded yet, but the extension already accepts connections.
    let _client = fg_extension_tests::Client::connect(extension.port());
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn transient_failures_are_retried() {
    let rejection = golden("register-rejection.json").to_string();
    let platform = ScriptedPlatform::start([
        ScriptedResponse::Close,
        ScriptedResponse::status("500 Internal Server Error", &rejection),
        ScriptedResponse::status("503 Service Unavailable", ""),
        ScriptedResponse::status("408 Request Timeout", ""),
        ScriptedResponse::status("429 Too Many Requests", ""),
        ScriptedResponse::Raw(b"no HTTP at all\r\n\r\n".to_vec()),
        ScriptedResponse::registered(),
    ]);
    let mut extension = Start::new(FIXTURE).with(&platform).start();
    for _ in 0..7 {
        let _ = platform.request();
    }
    assert_eq!(
        post(extension.port(), "/extension/invoke", event("1")).status,
        200
    );
    extension.wait_for("handled 1");
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
    assert_eq!(platform.count(), 0, "it registered twice");
}

#[test]
fn attempt_without_a_response_is_retried() {
    let platform =
        ScriptedPlatform::start([ScriptedResponse::Silence, ScriptedResponse::registered()]);
    let extension = Start::new(FIXTURE)
        .with(&platform)
        .env("FG_REGISTER_TIMEOUT", "2s")
        .start();
    let _ = (platform.request(), platform.request());
    assert_eq!(
        post(extension.port(), "/extension/invoke", event("1")).status,
        200
    );
}

/// It is unknown (?) what else the platform may send with status 200, so the extension accepts any body.
#[test]
fn any_response_with_status_200_is_a_registration() {
    let fields = |names: &[&str], response: &fg_extension_tests::Response| -> Vec<Option<String>> {
        let json = response.json();
        names
            .iter()
            .map(|name| {
                json.get(name)
                    .and_then(|value| value.as_str().map(str::to_owned))
            })
            .collect()
    };
    let names = ["functionName", "functionVersion", "handler"];
    let page = r#"{"functionName":"f","functionVersion":"1","handler":"index.handler","errorInfo":{"errorType":" ","errorMessage":null}}"#;
    let open = |body: &str| {
        ScriptedResponse::RawOpen(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes())
    };
    let short = |body: &str| {
        ScriptedResponse::Raw(
            format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{body}").into_bytes(),
        )
    };
    for (response, warned, expected) in [
        (
            ScriptedResponse::status("200 OK", page),
            false,
            [Some("f"), Some("1"), Some("index.handler")],
        ),
        // The connection stays open, and the length of the body is not declared.
        (
            open(page),
            false,
            [Some("f"), Some("1"), Some("index.handler")],
        ),
        // The body is shorter than declared.
        (
            short(page),
            false,
            [Some("f"), Some("1"), Some("index.handler")],
        ),
        (
            ScriptedResponse::status("200 OK", r#"{"functionName":"f","handlerName":"h"}"#),
            true,
            [Some("f"), Some("7"), Some("h")],
        ),
        (
            ScriptedResponse::status("200 OK", ""),
            true,
            [Some("env"), Some("7"), None],
        ),
        (
            ScriptedResponse::status("200 OK", "null"),
            true,
            [Some("env"), Some("7"), None],
        ),
        (
            ScriptedResponse::status("200 OK", "[1]"),
            true,
            [Some("env"), Some("7"), None],
        ),
        (
            ScriptedResponse::status("200 OK", r#"{"functionName":{},"errorInfo":[]}"#),
            true,
            [Some("env"), Some("7"), None],
        ),
        // Only a documented `errorInfo` that is not empty is a rejection (I).
        (
            ScriptedResponse::status("200 OK", r#"{"errorInfo":"quota","error":"quota"}"#),
            true,
            [Some("env"), Some("7"), None],
        ),
        (
            ScriptedResponse::status("200 OK", "<html>welcome</html>"),
            true,
            [Some("env"), Some("7"), None],
        ),
        (
            ScriptedResponse::status("200 OK", "x".repeat(3_000_000)),
            true,
            [Some("env"), Some("7"), None],
        ),
    ] {
        let platform = ScriptedPlatform::start([response]);
        let extension = Start::new(FIXTURE)
            .with(&platform)
            .env("RUNTIME_FUNC_NAME", "env")
            .env("RUNTIME_FUNC_VERSION", "7")
            .start();
        let _ = platform.request();
        let response = post(extension.port(), "/extension/invoke", event("1"));
        assert_eq!(
            fields(&names, &response),
            expected.map(|field| field.map(str::to_owned))
        );
        let exited = extension.terminate();
        assert_eq!(exited.code, Some(0));
        assert_eq!(
            exited.stderr.lines().count(),
            usize::from(warned),
            "{}",
            exited.stderr
        );
        assert!(exited.stderr.starts_with(if warned {
            "WARN extensionFixture.sh: the platform at"
        } else {
            ""
        }));
    }
}

#[test]
fn unknown_function_name_is_omitted_from_responses() {
    let platform = ScriptedPlatform::start([ScriptedResponse::status("200 OK", "")]);
    let extension = Start::new(FIXTURE).with(&platform).start();
    let _ = platform.request();
    let response = post(extension.port(), "/extension/invoke", event("1")).json();
    let names: Vec<_> = response
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(names, ["invokedFunctionUrn", "traceId"]);
}

#[test]
fn fg_log_sets_the_log_level() {
    for (level, lines) in [("info", 2), ("off", 0), ("", 0)] {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let mut extension = Start::new(FIXTURE)
            .with(&platform)
            .env("FG_LOG", level)
            .start();
        let _ = platform.request();
        assert_eq!(
            post(extension.port(), "/extension/invoke", event("1")).status,
            200
        );
        extension.wait_for("handled 1");
        let stderr = extension.terminate().stderr;
        assert_eq!(stderr.lines().count(), lines, "{level}: {stderr}");
    }
}

/// A response counts once its status has arrived, even if its body stalls.
#[test]
fn response_with_a_stalled_body_is_a_registration() {
    let stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"functionName\":".to_vec();
    let platform = ScriptedPlatform::start([ScriptedResponse::RawOpen(stalled)]);
    let extension = Start::new(FIXTURE)
        .with(&platform)
        .env("FG_REGISTER_TIMEOUT", "2s")
        .start();
    let _ = platform.request();
    assert_eq!(
        post(extension.port(), "/extension/invoke", event("1")).status,
        200
    );
    assert_eq!(platform.count(), 0, "it registered twice");
}

/// `errorInfo` is read from a response of any size that the platform allows (D): up to 6 MB.
#[test]
fn rejection_in_a_large_response_is_recognized() {
    let body = format!(
        r#"{{"padding":"{}","errorInfo":{{"errorType":"Late","errorMessage":"no"}}}}"#,
        "x".repeat(5_000_000)
    );
    let platform = ScriptedPlatform::start([ScriptedResponse::status("200 OK", body)]);
    let exited = Start::new(FIXTURE).with(&platform).run();
    assert_eq!(exited.code, Some(1));
    assert!(
        exited.stderr.contains(" with status 200: Late: no; "),
        "{}",
        exited.stderr
    );
}
