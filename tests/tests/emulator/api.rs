//! Tests of the extension API with plain clients and the golden files.

use std::sync::{Arc, Mutex};

use fg_emulator::{Event, ExtensionCommand, Platform, PortLease};
use fg_extension_tests::{Client, golden, post, request};
use serde_json::json;

fn register(port: u16, headers: &str) -> fg_extension_tests::Response {
    let head = format!(
        "POST /extension/register HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{headers}\r\n{{}}"
    );
    Client::connect(port).send(head).receive()
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_invalid_requests_are_rejected_and_reported() {
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
            log.lock()
                .unwrap()
                .push(format!("{method} {path} {status}"));
        }
    });
    let platform = platform.start().await.unwrap();
    let port = platform.address().port();

    let response = register(
        port,
        "FunctionGraph-Extension-Name: extensionOther.sh\r\nfunctiongraph-extension-address: 127.0.0.1:8081\r\n",
    );
    assert_eq!(
        (response.status, response.json()),
        (400, golden("register-rejection.json"))
    );
    assert_eq!(
        register(port, "").json()["errorInfo"]["errorType"],
        "MissingHeader"
    );
    let name = "FunctionGraph-Extension-Name: extensionOther.sh\r\n";
    let address = "FunctionGraph-Extension-Address: 127.0.0.1:8081\r\n";
    for (headers, repeated) in [
        (
            format!("{name}{name}{address}"),
            "FunctionGraph-Extension-Name",
        ),
        (
            format!("{name}{address}{address}"),
            "FunctionGraph-Extension-Address",
        ),
    ] {
        let response = register(port, &headers);
        let message = format!("header {repeated} occurs more than once");
        let info = json!({"errorType": "RepeatedHeader", "errorMessage": message});
        assert_eq!(
            (response.status, &response.json()["errorInfo"]),
            (400, &info)
        );
    }
    assert_eq!(post(port, "/logs", "{}").status, 404);
    for path in ["/extension/register", "/telemetry"] {
        let response = Client::connect(port)
            .send(request("GET", path, ""))
            .receive();
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("POST"))
        );
    }
    assert_eq!(
        *reported.lock().unwrap(),
        [
            "POST /extension/register 400",
            "POST /extension/register 400",
            "POST /extension/register 400",
            "POST /extension/register 400",
            "POST /logs 404",
            "GET /extension/register 405",
            "GET /telemetry 405",
        ]
    );
    // An incomplete request is rejected.
    let half = "POST /extension/register HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    let response = Client::connect(port).send(half).close_write().receive();
    assert_eq!(response.json()["errorInfo"]["errorType"], "InvalidBody");
    let mut client = Client::connect(port);
    assert_eq!(client.send("HELLO\r\n\r\n").receive().status, 400);
    assert!(client.is_closed());
    assert_eq!(reported.lock().unwrap().last().unwrap(), "? ? 400");
    let error = platform.invoke().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot invoke the function: no extension is registered; boot one first"
    );
}

#[tokio::test]
async fn foreign_extension_receives_the_golden_responses() {
    let platform = Platform::start().await.unwrap();
    let program = env!("CARGO_BIN_EXE_foreign");
    let booted = platform
        .boot_bin("extensionForeign.sh", program)
        .await
        .unwrap();
    assert!((8081..=8090).contains(&booted.address.port()));

    let error = platform
        .boot_bin("extensionForeign.sh", program)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot boot extensionForeign.sh: an extension with this name is already booted"
    );

    let invoked = platform.invoke().await.unwrap();
    assert!(!invoked.is_ok(), "only 200 is success");
    let [response] = &invoked.responses[..] else {
        panic!("{invoked:?}")
    };
    let response = response.result.as_ref().unwrap();
    assert_eq!((response.status, &response.body[..]), (418, &b"short"[..]));

    let shutdown = platform.shutdown().await.unwrap();
    assert!(!shutdown.is_clean(), "it does not handle SIGTERM");
    let printed = shutdown.extensions[0].stdout();
    let mut lines = printed.lines();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(
        json(lines.next().unwrap()),
        golden("register-response.json")
    );
    let mut event = golden("invoke-request.json");
    event["traceId"] = invoked.trace_id.as_str().into();
    let (line, body) = lines
        .next()
        .unwrap()
        .split_at("POST /extension/invoke HTTP/1.1 ".len());
    assert_eq!(
        (line, json(body)),
        ("POST /extension/invoke HTTP/1.1 ", event)
    );
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn program_that_never_registers_is_reported() {
    let platform = Platform::start().await.unwrap();
    // The fixture registers under another name than the one it was booted with. It is rejected, and prints the reason. The
    // port is not leased by the emulator, because that lease would be for the name it was booted with.
    let lease = tokio::task::spawn_blocking(PortLease::acquire)
        .await
        .unwrap()
        .unwrap();
    let boot = ExtensionCommand::new("extensionOther.sh", env!("CARGO_BIN_EXE_fixture"))
        .env("FG_EXTENSION_PORT", lease.port().to_string());
    let error = platform.boot(boot).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "extensionOther.sh exited with status 1 before it registered"
    );
    let printed = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        printed.contains("ExtensionNotFound: no script `extensionFixture.sh` was booted"),
        "{printed}"
    );
    // The name can be used again.
    let boot = ExtensionCommand::new("extensionOther.sh", "no/such/program");
    let error = platform.boot(boot).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot find no/such/program");
    assert!(platform.shutdown().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_platforms_boot_in_parallel() {
    let mut platforms = tokio::task::JoinSet::new();
    // There are more platforms than ports, so some wait for a lease.
    for _ in 0..24 {
        platforms.spawn(async {
            let platform = Platform::start().await?;
            platform
                .boot_bin("extensionFixture.sh", env!("CARGO_BIN_EXE_fixture"))
                .await?;
            platform.invoke().await?.assert_ok();
            platform.shutdown().await
        });
    }
    while let Some(result) = platforms.join_next().await {
        let shutdown = result.unwrap().unwrap();
        assert!(shutdown.is_clean(), "{shutdown:?}");
    }
}
