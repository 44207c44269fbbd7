//! Tests of the function: synthetic, or a custom runtime.

use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fg_emulator::{
    Event, ExtensionCommand, FunctionOutcome, InvokeRequest, Platform, PlatformBuilder, PortLease,
    describe_exit,
};
use fg_extension_tests::{Client, post, request};
use serde_json::{Value, json};

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_bootstrap");

/// Starts a platform with an extension that accepts every invoke event.
async fn platform() -> Platform {
    platform_with(Platform::builder()).await
}

async fn platform_with(builder: PlatformBuilder) -> Platform {
    let platform = builder.start().await.unwrap();
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
        // The function prints the payload before it responds.
        let printed = invoked.printed.iter().map(|line| line.text.as_str());
        let printed: Vec<_> = printed.filter(|line| line.contains(" got ")).collect();
        assert!(
            matches!(printed[..], [line] if line.ends_with(&format!(" got {payload}"))),
            "{printed:?}"
        );
    }
    // Concurrent invocations are queued.
    let (first, second) = tokio::join!(platform.invoke(), platform.invoke());
    for invoked in [first, second] {
        assert_eq!(invoked.unwrap().function.outcome, FunctionOutcome::Ok);
    }
    let shutdown = platform.shutdown().await.unwrap();
    assert!(shutdown.is_clean());
    let function = shutdown.function.unwrap();
    assert_eq!(function.status.signal(), Some(15));
    let printed = function.stdout();
    let payloads: Vec<_> = printed
        .lines()
        .map(|line| line.split_once(" got ").unwrap().1)
        .collect();
    assert_eq!(payloads, ["{}", "fail", "", "{}", "{}"]);
}

/// Invokes the function with a payload, and returns the outcome and the response.
async fn invoke(platform: &Platform, payload: &str) -> (FunctionOutcome, String) {
    let invocation = InvokeRequest::new().payload(payload.to_owned());
    let invoked = platform.invoke_with(invocation).await.unwrap();
    invoked.assert_ok();
    let response = String::from_utf8_lossy(&invoked.function.response).into_owned();
    (invoked.function.outcome, response)
}

fn exited(how: &str) -> (FunctionOutcome, String) {
    let response =
        format!(r#"{{"errorType":"FunctionExited","errorMessage":"the function {how}"}}"#);
    (FunctionOutcome::Error, response)
}

fn done() -> (FunctionOutcome, String) {
    (FunctionOutcome::Ok, "done".to_owned())
}

/// An observer that stores how the function exited.
fn exits() -> (
    Arc<Mutex<Vec<String>>>,
    impl Fn(&Event) + Send + Sync + 'static,
) {
    let exits = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&exits);
    let observer = move |event: &Event| {
        if let Event::FunctionExited {
            status, timed_out, ..
        } = event
        {
            let exit = format!("{} {timed_out}", describe_exit(*status));
            log.lock().unwrap().push(exit);
        }
    };
    (exits, observer)
}

#[tokio::test(flavor = "multi_thread")]
async fn function_that_exits_is_reported_and_started_again() {
    let (exits, observer) = exits();
    let platform = platform_with(Platform::builder().observer(observer)).await;
    platform.boot_function(BOOTSTRAP).await.unwrap();
    assert_eq!(
        invoke(&platform, "exit").await,
        exited("exited with status 7")
    );
    assert_eq!(invoke(&platform, "{}").await, done());
    assert_eq!(
        invoke(&platform, "abort").await,
        exited("was killed by SIGABRT")
    );
    // It exits after its response, so no invocation fails.
    assert_eq!(invoke(&platform, "leave").await, done());
    assert_eq!(invoke(&platform, "{}").await, done());
    assert_eq!(
        exits.lock().unwrap()[..],
        [
            "exited with status 7 false",
            "was killed by SIGABRT false",
            "exited with status 0 false"
        ]
    );
    // An invocation that the function has not received yet waits for the next process.
    let (first, second) = tokio::join!(invoke(&platform, "exit"), invoke(&platform, "{}"));
    assert_eq!(first, exited("exited with status 7"));
    assert_eq!(second, done());

    invoke(&platform, "exit").await;
    let function = platform.shutdown().await.unwrap().function.unwrap();
    assert_eq!(
        (function.status.code(), function.stderr().as_str()),
        (Some(7), "out of stock\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn function_that_cannot_be_started_again_is_reported() {
    let platform = platform().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bootstrap");
    let text = format!(
        "#!/bin/sh\n[ ! -e gone ] || {{ echo no stock >&2; exit 3; }}\ntouch gone\nexec '{BOOTSTRAP}'\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    platform.boot_function(&path).await.unwrap();
    invoke(&platform, "exit").await;
    let (outcome, response) = invoke(&platform, "{}").await;
    let message = format!(
        "the function ({}) exited with status 3 before it could request an event: no stock",
        path.display()
    );
    let expected = json!({"errorType": "FunctionNotStarted", "errorMessage": message});
    assert_eq!(serde_json::from_str::<Value>(&response).unwrap(), expected);
    assert_eq!(outcome, FunctionOutcome::Error);
    // The next invocation tries again.
    std::fs::remove_file(directory.path().join("gone")).unwrap();
    assert_eq!(invoke(&platform, "{}").await, done());
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn invocation_that_takes_too_long_times_out() {
    let timed_out = |timeout: &str| {
        let response = format!(
            r#"{{"errorType":"FunctionTimeout","errorMessage":"the function did not respond within {timeout}"}}"#
        );
        (FunctionOutcome::Timeout, response)
    };
    let builder = Platform::builder().function_timeout(Duration::from_millis(200));
    let platform = platform_with(builder).await;
    let slow = InvokeRequest::new().duration(Duration::from_secs(3600));
    let invoked = platform.invoke_with(slow).await.unwrap();
    assert_eq!(invoked.function.outcome, FunctionOutcome::Timeout);
    let response = String::from_utf8_lossy(&invoked.function.response).into_owned();
    assert_eq!(response, timed_out("200ms").1);
    assert!(platform.shutdown().await.unwrap().is_clean());

    let (exits, observer) = exits();
    let builder = Platform::builder().observer(observer);
    // The next process has as much time to respond, on a machine that may be busy.
    let platform = platform_with(builder.function_timeout(Duration::from_secs(2))).await;
    platform.boot_function(BOOTSTRAP).await.unwrap();
    assert_eq!(invoke(&platform, "hang").await, timed_out("2s"));
    // The process was killed, and the next one responds.
    let (outcome, environment) = invoke(&platform, "environment").await;
    assert_eq!(outcome, FunctionOutcome::Ok);
    assert!(environment.contains("RUNTIME_TIMEOUT=2"), "{environment}");
    assert_eq!(exits.lock().unwrap()[..], ["was killed by SIGKILL true"]);
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_variables_are_set() {
    let builder = Platform::builder()
        .user_data("COLLECTOR", "http://192.0.2.7")
        .init_timeout(Duration::from_secs(9));
    let platform = platform_with(builder).await;
    platform.boot_function(BOOTSTRAP).await.unwrap();
    let environment = invoke(&platform, "environment").await.1;
    let value = |name: &str| {
        let mut lines = environment.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{name} is missing: {environment}"))
    };
    for (name, expected) in [
        ("RUNTIME_PROJECT_ID", "1111"),
        ("RUNTIME_FUNC_NAME", "helloWorld"),
        ("RUNTIME_FUNC_VERSION", "$LATEST"),
        ("RUNTIME_PACKAGE", "test"),
        ("RUNTIME_HANDLER", "bootstrap"),
        ("RUNTIME_TIMEOUT", "30"),
        ("RUNTIME_MEMORY", "128"),
        ("RUNTIME_CPU", "300"),
        ("RUNTIME_INITIALIZER_TIMEOUT", "9"),
        ("RUNTIME_USERDATA", r#"{"COLLECTOR":"http://192.0.2.7"}"#),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let code = std::fs::canonicalize(value("RUNTIME_CODE_ROOT")).unwrap();
    let directory = std::path::Path::new(BOOTSTRAP).parent().unwrap();
    assert_eq!(code, std::fs::canonicalize(directory).unwrap());
    assert!(
        std::fs::metadata(value("RUNTIME_LOG_DIR"))
            .unwrap()
            .is_dir()
    );
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn http_function_responds() {
    let (exits, observer) = exits();
    let platform = platform_with(Platform::builder().observer(observer)).await;
    let program = env!("CARGO_BIN_EXE_http_function");
    platform.boot_http_function(program).await.unwrap();
    let event =
        r#"{"httpMethod": "POST", "path": "/orders", "body": "aGk=", "isBase64Encoded": true}"#;
    let request = InvokeRequest::new().payload(event).trace_id("t1");
    let function = platform.invoke_with(request).await.unwrap().function;
    assert_eq!(
        (function.outcome, function.http_status),
        (FunctionOutcome::Ok, Some(200))
    );
    let response = String::from_utf8_lossy(&function.response).into_owned();
    let mut lines = response.lines();
    assert_eq!(lines.next(), Some("POST /orders HTTP/1.1"));
    assert_eq!(lines.next_back(), Some("hi"));
    let headers: Vec<_> = lines.collect();
    for header in [
        "x-cff-request-id: t1",
        "x-cff-memory: 128",
        "x-cff-timeout: 30",
        "x-cff-func-version: $LATEST",
        "x-cff-func-name: helloWorld",
        "x-cff-project-id: 1111",
        "x-cff-package: test",
        "x-cff-region: cn",
    ] {
        assert!(headers.contains(&header), "{header}: {headers:#?}");
    }

    let request = InvokeRequest::new().payload(r#"{"path": "/fail"}"#);
    let function = platform.invoke_with(request).await.unwrap().function;
    assert_eq!(
        (function.outcome, function.http_status),
        (FunctionOutcome::Error, Some(503))
    );
    assert_eq!(function.response, "out of stock");

    let (outcome, response) = invoke(&platform, "hello").await;
    assert_eq!(outcome, FunctionOutcome::Error);
    assert!(
        response.contains("must be an event of the API gateway"),
        "{response}"
    );

    assert_eq!(
        invoke(&platform, r#"{"path": "/exit"}"#).await,
        exited("exited with status 7")
    );
    assert!(
        invoke(&platform, "{}")
            .await
            .1
            .starts_with("GET / HTTP/1.1")
    );
    assert_eq!(exits.lock().unwrap()[..], ["exited with status 7 false"]);
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn http_function_that_does_not_listen_is_reported() {
    let builder = Platform::builder().init_timeout(Duration::from_millis(100));
    let platform = platform_with(builder).await;
    let error = platform.boot_http_function(BOOTSTRAP).await.unwrap_err();
    assert!(error.process_exit().is_some());
    let error = error.to_string();
    // Without an API to request events from, it exits at once.
    assert!(
        error.ends_with("before it could listen on 127.0.0.1:8000"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bootstrap");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = platform.boot_http_function(&path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the function ({}) did not listen on 127.0.0.1:8000 within 100ms; the server of an HTTP function must listen \
             on port 8000",
            path.display()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_that_does_not_start_is_reported() {
    let platform = platform().await;
    for (path, message) in [
        (
            "/bin/false",
            "the function (/bin/false) exited with status 1 before it could request an event",
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
