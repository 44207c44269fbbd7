//! Tests of clients that send half of a request, too many requests, or requests of a web page.

use std::time::{Duration, Instant};

use fg_extension_tests::{Client, Extension, Start, event, post, request};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const INVOKE: &str = "/extension/invoke";

const HALF_HEADER: &str = "POST /extension/invoke HTTP/1.1\r\nHost:";
const HALF_BODY: &str = "POST /extension/invoke HTTP/1.1\r\nContent-Length: 100\r\n\r\n{";

fn registered() -> Extension {
    Start::new(FIXTURE)
        .env("FG_SHUTDOWN_TIMEOUT", "15s")
        .registered()
}

/// Opens a connection, and sends one invocation and then the text over it.
fn connect(extension: &Extension, text: &str) -> Client {
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("1")));
    assert_eq!(client.receive().status, 200);
    client.send(text);
    client
}

#[test]
fn half_sent_request_does_not_hold_up_the_shutdown() {
    let mut extension = registered();
    let mut whole = Client::connect(extension.port());
    whole.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    let mut half: Vec<_> = [HALF_HEADER, HALF_BODY]
        .into_iter()
        .flat_map(|text| {
            let mut new = Client::connect(extension.port());
            new.send(text);
            [new, connect(&extension, text)]
        })
        .collect();
    let start = Instant::now();
    extension.signal(Signal::SIGTERM);
    assert!(half.iter_mut().all(Client::is_closed));
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    // The request that arrived whole is waited for.
    extension.type_line("go on");
    assert_eq!(whole.receive().status, 200);
    let exited = extension.wait();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

#[test]
fn rest_of_a_request_may_arrive_with_the_signal() {
    let extension = registered();
    let text = String::from_utf8(request("POST", INVOKE, event("1"))).expect("it is UTF-8");
    let (first, second) = text.split_at(text.len() - 10);
    let mut client = connect(&extension, first);
    // The process is stopped while both arrive, so it receives them at the same time.
    extension.signal(Signal::SIGSTOP);
    client.send(second);
    extension.signal(Signal::SIGTERM);
    extension.signal(Signal::SIGCONT);
    assert_eq!(client.receive().status, 200);
    assert_eq!(extension.wait().code, Some(0));
}

#[test]
fn request_that_does_not_arrive_in_time_is_dropped() {
    let extension = registered();
    let mut half: Vec<_> = [HALF_HEADER, HALF_BODY]
        .map(|text| connect(&extension, text))
        .into();
    let mut idle = connect(&extension, "");
    let mut silent = Client::connect(extension.port());
    let start = Instant::now();
    assert!(half.iter_mut().all(Client::is_closed));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    // Connections on which no request has begun stay open.
    for client in [&mut idle, &mut silent] {
        client.send(request("POST", INVOKE, event("2")));
        assert_eq!(client.receive().status, 200);
    }
}

#[test]
fn body_that_arrives_slowly_is_read() {
    let extension = registered();
    let mut client = Client::connect(extension.port());
    let body = event("1");
    let (first, second) = body.split_at(10);
    client.send(format!(
        "POST {INVOKE} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    ));
    // The pauses must add up to more than the timeout, so this test has to sleep.
    for part in second.as_bytes().chunks(second.len() / 3) {
        std::thread::sleep(Duration::from_millis(2000));
        client.send(part);
    }
    assert_eq!(client.receive().status, 200);
}

#[test]
fn idle_connections_do_not_lock_others_out() {
    let extension = registered();
    extension.limit_descriptors(64);
    let mut served = connect(&extension, "");
    let mut others = Vec::new();
    for text in ["", HALF_HEADER, HALF_BODY] {
        // Of these connections, the oldest are closed.
        for _ in 0..200 {
            let mut other = Client::connect(extension.port());
            // The extension may have closed the connection already.
            other.try_send(text);
            others.push(other);
        }
        let mut new = Client::connect(extension.port());
        new.send(request("POST", INVOKE, event("1")));
        assert_eq!(new.receive().status, 200, "{text}");
        if text != HALF_BODY {
            served.send(request("POST", INVOKE, event("1")));
            assert_eq!(served.receive().status, 200, "{text}");
        }
    }
    assert_eq!(extension.terminate().stderr, "");
}

#[test]
fn shutdown_request_of_a_web_page_is_rejected() {
    let extension = registered();
    for header in [
        "Origin: https://example.com",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
    ] {
        let request = |path: &str, body: &str| {
            let length = body.len();
            format!("POST {path} HTTP/1.1\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        let mut client = Client::connect(extension.port());
        let response = client.send(request("/extension/shutdown", "{}")).receive();
        assert_eq!(response.status, 403, "{header}");
        assert_eq!(response.json()["errorInfo"]["errorType"], "Forbidden");
        // Invocations are not judged by their headers.
        let response = client.send(request(INVOKE, &event("1"))).receive();
        assert_eq!(response.status, 200, "{header}");
    }
    assert_eq!(
        post(extension.port(), "/extension/shutdown", "").status,
        200
    );
    let exited = extension.wait();
    assert_eq!(exited.code, Some(0));
    assert_eq!(
        exited.stderr.lines().next(),
        Some(
            "WARN extensionFixture.sh: rejected a request with status 403: POST /extension/shutdown does not accept \
             requests of web pages"
        )
    );
}

#[test]
fn log_lines_about_requests_are_few_and_short() {
    let extension = registered();
    let long = "x".repeat(30_000);
    let mut client = Client::connect(extension.port());
    let requests = 1000;
    for i in 0..requests {
        let (path, body) = match i % 3 {
            0 => (format!("/{long}"), String::new()),
            1 => (INVOKE.to_owned(), format!("\"{long}\"")),
            _ => (INVOKE.to_owned(), event("error")),
        };
        let response = client.send(request("POST", &path, body)).receive();
        assert_ne!(response.status, 200);
    }
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert!((32..100).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().all(|line| line.len() < 1000));
    // Each request is either logged or counted.
    let omitted = lines.iter().filter_map(|line| {
        let (before, _) = line
            .split_once(" similar lines")
            .or(line.split_once(" lines about"))?;
        before.rsplit(['(', ' ']).next()?.parse::<usize>().ok()
    });
    let last = lines[lines.len() - 1];
    assert!(
        last.ends_with(" lines about requests were omitted"),
        "{last}"
    );
    assert_eq!(lines.len() - 1 + omitted.sum::<usize>(), requests);
}
