//! The emulator, against the goldens and against clients that are not ours.

use std::sync::{Arc, Mutex};

use fg_emulator::{Event, Platform};
use fg_extension_tests::{Client, golden, post, request};

fn register(port: u16, headers: &str) -> fg_extension_tests::Response {
    let head = format!(
        "POST /extension/register HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{headers}\r\n{{}}"
    );
    Client::connect(port).send(head).receive()
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_wrong_calls_are_refused_and_shown() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&shown);
    let platform = Platform::start_with(move |event| {
        if let Event::Refused {
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
    })
    .await
    .unwrap();
    let port = platform.address().port();

    let response = register(
        port,
        "FunctionGraph-Extension-Name: extensionOther.sh\r\nfunctiongraph-extension-address: 127.0.0.1:8081\r\n",
    );
    assert_eq!(
        (response.status, response.json()),
        (400, golden("register-refusal.json"))
    );
    assert_eq!(
        register(port, "").json()["errorInfo"]["errorType"],
        "MissingHeader"
    );
    assert_eq!(post(port, "/telemetry", "{}").status, 404);
    assert_eq!(
        Client::connect(port)
            .send(request("GET", "/extension/register", ""))
            .receive()
            .status,
        405
    );
    assert_eq!(
        *shown.lock().unwrap(),
        [
            "POST /extension/register 400",
            "POST /extension/register 400",
            "POST /telemetry 404",
            "GET /extension/register 405",
        ]
    );
    let error = platform.invoke().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no extension is registered, so there is none to invoke"
    );
}
