//! Tests of the telemetry subscription and of the port that receives telemetry.

use std::time::Duration;

use fg_extension_tests::{
    Client, ScriptedPlatform, ScriptedResponse, Start, golden, post, request,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{TELEMETRY, invoke, telemetry};

#[test]
fn subscribes_after_registration() {
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let start = Start::with_telemetry_port(TELEMETRY).with(&platform);
    let telemetry_port = start.telemetry_port();
    let mut extension = start.start();
    let registration = platform.request();
    assert!(
        registration.starts_with("POST /extension/register "),
        "{registration}"
    );
    let subscription = platform.request();
    assert!(
        subscription.starts_with("POST /telemetry HTTP/1.1\r\n"),
        "{subscription}"
    );
    assert!(
        subscription
            .to_ascii_lowercase()
            .contains("\r\ncontent-type: application/json\r\n")
    );
    let (_, body) = subscription.split_once("\r\n\r\n").unwrap();
    let mut expected = golden("telemetry-subscription.json");
    expected["subscriber"]["uri"] = format!("http://127.0.0.1:{telemetry_port}").into();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);

    // Telemetry has its own listener, and invocations are still handled.
    assert_eq!(post(telemetry_port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    assert_eq!(post(telemetry_port, "/extension/invoke", "[2]").status, 200);
    extension.wait_for("call 2: [2]");
    let got = Client::connect(telemetry_port)
        .send(request("GET", "/", ""))
        .receive();
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    assert_eq!(invoke(&extension), 200);
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stderr.as_str()),
        (
            Some(0),
            "WARN extensionTelemetry.sh: rejected a request with status 405: the telemetry port accepts only POST, not \
             GET\n"
        )
    );
    assert_eq!(platform.count(), 0);
}

#[test]
fn listens_before_it_registers() {
    let platform = ScriptedPlatform::start([ScriptedResponse::Silence]);
    let start = Start::with_telemetry_port(TELEMETRY).with(&platform);
    let telemetry_port = start.telemetry_port();
    let _extension = start.start();
    let _ = platform.request();
    drop(Client::connect(telemetry_port));
}

#[test]
fn subscription_is_retried() {
    let platform = ScriptedPlatform::start([
        ScriptedResponse::registered(),
        ScriptedResponse::status("503 Service Unavailable", ""),
        ScriptedResponse::Close,
        ScriptedResponse::status("500 Internal Server Error", "{}"),
        ScriptedResponse::status("200 OK", ""),
    ]);
    let extension = telemetry().with(&platform).start();
    for _ in 0..5 {
        let _ = platform.request();
    }
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
    assert_eq!(platform.count(), 0);
}

#[test]
fn rejected_subscription_is_logged_and_the_extension_keeps_running() {
    let body =
        r#"{"errorInfo": {"errorType": "Subscribed", "errorMessage": "there is\na subscriber"}}"#;
    for (response, message) in [
        (
            ScriptedResponse::status("400 Bad Request", body),
            r"rejected the subscription of 127.0.0.1:PORT with status 400: Subscribed: there is\na subscriber; a function can have only one subscriber: if another extension subscribes, remove one of them",
        ),
        (
            ScriptedResponse::status("400 Bad Request", "\n"),
            "rejected the subscription of 127.0.0.1:PORT with status 400; a function can have only one subscriber: if another extension subscribes, remove one of them",
        ),
        (
            ScriptedResponse::status("200 OK", body),
            r"rejected the subscription of 127.0.0.1:PORT with status 200: Subscribed: there is\na subscriber",
        ),
        (ScriptedResponse::Close, "within 1s ("),
        (ScriptedResponse::Silence, "no response in time"),
    ] {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered(), response]);
        let start = telemetry().env("FG_REGISTER_TIMEOUT", "1s").with(&platform);
        let message = message.replace("PORT", &start.telemetry_port().to_string());
        let mut extension = start.start();
        // Invocations are handled while the subscription is in progress.
        let _ = (platform.request(), platform.request());
        assert_eq!(invoke(&extension), 200);
        let line = extension.error_line();
        let prefix = "ERROR extensionTelemetry.sh: continuing without telemetry: ";
        // The hint follows only status 400, which is what the platform responds to a second subscriber with (?).
        assert!(
            line.starts_with(prefix)
                && line.contains(&message)
                && (!line.contains("status 200") || line.ends_with("a subscriber")),
            "{line}"
        );
        assert_eq!(invoke(&extension), 200);
        let exited = extension.terminate();
        assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
    }
}

/// The freeze takes longer than the timeout. The platform may be frozen as well, so it responds afterwards.
#[test]
fn freeze_does_not_end_the_subscription() {
    let platform =
        ScriptedPlatform::start([ScriptedResponse::registered(), ScriptedResponse::Silence]);
    let mut extension = telemetry()
        .with(&platform)
        .env("FG_REGISTER_TIMEOUT", "2s")
        .env("FG_LOG", "info")
        .start();
    let _ = (platform.request(), platform.request());
    extension.freeze(Duration::from_secs(3), || {});
    platform.respond(&ScriptedResponse::status("200 OK", "{}"));
    while !extension.error_line().contains("subscribed to telemetry") {}
    assert_eq!(extension.terminate().code, Some(0));
    assert_eq!(platform.count(), 0, "it subscribed twice");
}

#[test]
fn port_in_use_is_reported_and_the_extension_keeps_running() {
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let start = Start::with_telemetry_port(TELEMETRY).with(&platform);
    let telemetry_port = start.telemetry_port();
    let _other_listener = std::net::TcpListener::bind(("127.0.0.1", telemetry_port)).unwrap();
    let extension = start.start();
    let _ = platform.request();
    assert_eq!(invoke(&extension), 200);
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    assert!(
        exited.stderr.starts_with(&format!(
            "ERROR extensionTelemetry.sh: continuing without telemetry: cannot listen on 127.0.0.1:{telemetry_port}: \
             Address already in use (os error 98); set FG_TELEMETRY_PORT to "
        )) && exited.stderr.lines().count() == 1,
        "{}",
        exited.stderr
    );
    assert_eq!(platform.count(), 0);
}

#[test]
fn telemetry_is_accepted_during_init() {
    let start = Start::with_telemetry_port(TELEMETRY).env("INIT", "ask");
    let telemetry_port = start.telemetry_port();
    let mut extension = start.registered();
    extension.wait_for("init");
    assert_eq!(post(telemetry_port, "/any/path", "[1]").status, 200);
    extension.type_line("go on");
    extension.wait_for("call 1: [1]");
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

#[test]
fn telemetry_accepted_before_init_failed_is_counted() {
    for (response, message) in [
        (
            "panic",
            "ERROR extensionTelemetry.sh: the extension failed to initialize, and 2 acknowledged telemetry events \
             were not delivered: panicked at ",
        ),
        (
            "",
            "ERROR extensionTelemetry.sh: the extension shut down before `init` completed: 2 acknowledged telemetry \
             events were not delivered\n",
        ),
    ] {
        let start = Start::with_telemetry_port(TELEMETRY).env("INIT", "ask");
        let telemetry_port = start.telemetry_port();
        let mut extension = start.registered();
        extension.wait_for("init");
        assert_eq!(post(telemetry_port, "/", "[1, 2]").status, 200);
        if response.is_empty() {
            extension.signal(Signal::SIGTERM);
        } else {
            extension.type_line(response);
        }
        let exited = extension.wait();
        assert_eq!(exited.code, Some(1));
        assert!(exited.stderr.starts_with(message), "{}", exited.stderr);
    }
}

#[test]
fn subscription_on_a_shared_port_waits_for_init() {
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let mut extension = telemetry().env("INIT", "ask").with(&platform).start();
    let _registration = platform.request();
    extension.wait_for("init");
    assert_eq!(platform.count(), 0);
    extension.type_line("go on");
    assert!(platform.request().starts_with("POST /telemetry "));
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn telemetry_is_rejected_without_a_subscription() {
    let extension = Start::new(env!("CARGO_BIN_EXE_fixture")).registered();
    assert_eq!(post(extension.port(), "/", "[]").status, 404);
}
