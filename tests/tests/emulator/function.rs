//! Tests of the function: synthetic, or a custom runtime.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fg_emulator::{Event, ExtensionCommand, FunctionOutcome, InvokeRequest, Platform, PortLease};
use fg_extension_tests::{Client, post, request};
use serde_json::{Value, json};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");

/// Starts a platform with an extension that accepts every invoke event.
async fn platform() -> Platform {
    let platform = Platform::start().await.unwrap();
    let fixture = env!("CARGO_BIN_EXE_fixture");
    platform
        .boot_bin("extensionFixture.sh", fixture)
        .await
        .unwrap();
    platform
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_responds() {
    let platform = platform().await;
    platform.boot_function(BOOTSTRAP).await.unwrap();
    let error = platform.boot_function(BOOTSTRAP).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot boot a second function: an instance runs one function"
    );

    for (payload, outcome, response) in [
        ("{}", FunctionOutcome::Ok, "done"),
        (
            "fail",
            FunctionOutcome::Error,
            r#"{"errorType":"Oh","errorMessage":"no"}"#,
        ),
        ("", FunctionOutcome::Ok, "done"),
    ] {
        let invocation = InvokeRequest::new().payload(payload);
        let invoked = platform.invoke_with(invocation).await.unwrap();
        invoked.assert_ok();
        assert_eq!(
            (invoked.function.outcome, &invoked.function.response[..]),
            (outcome, response.as_bytes())
        );
    }
    // Concurrent invocations are queued.
    let (first, second) = tokio::join!(platform.invoke(), platform.invoke());
    for invoked in [first, second] {
        assert_eq!(invoked.unwrap().function.outcome, FunctionOutcome::Ok);
    }
    let invocation = || InvokeRequest::new().payload("exit");
    for _ in 0..2 {
        let invoked = platform.invoke_with(invocation()).await.unwrap();
        invoked.assert_ok();
        assert_eq!(invoked.function.outcome, FunctionOutcome::Error);
        let response: Value = serde_json::from_slice(&invoked.function.response).unwrap();
        assert_eq!(response["errorType"], "FunctionEnded");
    }

    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.is_clean());
    let function = shutdown.function.unwrap();
    assert_eq!((function.status.code(), function.killed), (Some(7), false));
    let printed = function.stdout();
    let payloads: Vec<_> = printed
        .lines()
        .map(|line| line.split_once(" got ").unwrap().1)
        .collect();
    assert_eq!(payloads, ["{}", "fail", "", "{}", "{}", "exit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_that_does_not_start_is_reported() {
    let platform = platform().await;
    for (path, message) in [
        (
            "/bin/false",
            "the function (/bin/false) exited with exit status: 1 before it requested an event",
        ),
        (
            "/no/such/bootstrap",
            "cannot start the function (/no/such/bootstrap)",
        ),
    ] {
        let error = platform.boot_function(path).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // After a failure another function can be booted.
    platform.boot_function(BOOTSTRAP).await.unwrap();
    platform.invoke().await.unwrap().assert_ok();
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_requests_of_the_runtime_api_are_rejected_and_reported() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reported);
    let platform = Platform::builder().observer(move |event| {
        if let Event::Rejected {
            method,
            path,
            status,
            ..
        } = event
        {
            let line = format!("{method} {path} {status}");
            log.lock().unwrap().push(line);
        }
    });
    let platform = platform.start().await.unwrap();
    let fixture = env!("CARGO_BIN_EXE_fixture");
    platform
        .boot_bin("extensionFixture.sh", fixture)
        .await
        .unwrap();
    // The bootstrap writes the address of its API to its own directory, then requests an event.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bootstrap");
    let text = format!("#!/bin/sh\necho \"$RUNTIME_API_ADDR\" >address\nexec '{BOOTSTRAP}'\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    platform.boot_function(&path).await.unwrap();
    let invoked = platform.invoke().await.unwrap();
    let address = std::fs::read_to_string(directory.path().join("address")).unwrap();
    let port = address.trim().rsplit(':').next().unwrap();
    let port = port.parse().unwrap();

    for (method, path, status) in [
        ("POST", "/v1/runtime/invocation/request", 405),
        ("GET", "/v1/runtime/invocation/response/x", 405),
        ("POST", "/v1/runtime/invocation/response/x", 404),
        ("POST", "/v1/runtime/init/error", 404),
        ("POST", "/extension/register", 404),
    ] {
        let response = Client::connect(port)
            .send(request(method, path, ""))
            .receive();
        assert_eq!(response.status, status, "{method} {path}");
        assert!(
            reported
                .lock()
                .unwrap()
                .contains(&format!("{method} {path} {status}"))
        );
    }
    // The invocation already has a response.
    let path = format!("/v1/runtime/invocation/response/{}", invoked.trace_id);
    assert_eq!(post(port, &path, "again").status, 404);
    platform.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn synthetic_function_behaves_as_requested() {
    let (events, telemetry) = tokio::task::spawn_blocking(PortLease::acquire_pair)
        .await
        .unwrap()
        .unwrap();
    let platform = Platform::start().await.unwrap();
    let boot = ExtensionCommand::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"))
        .env("FG_EXTENSION_PORT", events.port().to_string())
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string());
    platform.boot(boot).await.unwrap();
    platform.wait_for_subscription().await.unwrap();
    let invocation = InvokeRequest::new()
        .trace_id("t1")
        .duration(Duration::from_millis(30))
        .log("one")
        .log("two")
        .outcome(FunctionOutcome::Timeout);
    let invoked = platform.invoke_with(invocation).await.unwrap();
    assert_eq!(
        (invoked.trace_id.as_str(), invoked.function.outcome),
        ("t1", FunctionOutcome::Timeout)
    );
    assert!(invoked.function.duration >= Duration::from_millis(30));
    assert!(invoked.duration >= invoked.function.duration);
    platform.restore().await;
    platform
        .invoke_with(InvokeRequest::new().trace_id("t2"))
        .await
        .unwrap();
    platform.wait_for_telemetry().await;

    let shutdown = platform.shutdown().await.unwrap();
    let printed = shutdown.extensions[0].stderr();
    let events = printed.lines().flat_map(|line| {
        let body = line.split_once("HTTP/1.1 ").unwrap().1;
        serde_json::from_str::<Vec<Value>>(body).unwrap()
    });
    let emitted: Vec<String> = events
        .map(|event| match event["record"].as_str() {
            // Without the time.
            Some(record) => record.split_once(' ').unwrap().1.to_owned(),
            None => format!(
                "{} {} {}",
                event["name"].as_str().unwrap(),
                event["traceId"],
                event["status"]
            ),
        })
        .filter(|line| !line.starts_with("Start") && !line.starts_with("Finish"))
        .collect();
    let t1 = json!("t1");
    assert_eq!(
        emitted,
        [
            format!("platform.initStart {t1} null"),
            format!("platform.initRuntimeDone {t1} \"success\""),
            format!("platform.initReport {t1} \"success\""),
            format!("platform.start {t1} null"),
            "t1 INFO one".to_owned(),
            "t1 INFO two".to_owned(),
            format!("platform.RuntimeDone {t1} \"timeout\""),
            format!("platform.report {t1} \"timeout\""),
            "platform.restoreStart \"t2\" null".to_owned(),
            "platform.restoreRuntimeDone \"t2\" \"success\"".to_owned(),
            "platform.restoreReport \"t2\" \"success\"".to_owned(),
            "platform.start \"t2\" null".to_owned(),
            "platform.RuntimeDone \"t2\" \"success\"".to_owned(),
            "platform.report \"t2\" \"success\"".to_owned(),
        ]
    );
}
