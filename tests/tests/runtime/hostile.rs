//! Tests of clients that send half of a request, too many requests, or requests of a web page.

use std::time::{Duration, Instant};

use fg_extension_tests::{
    Client, Extension, ScriptedPlatform, ScriptedResponse, Start, event, post, request,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const TELEMETRY: &str = env!("CARGO_BIN_EXE_telemetry");
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

/// Asserts that there are no log lines, but that the second thread may have had no descriptors left when it started.
#[track_caller]
fn assert_only_second_thread(stderr: &str) {
    let is_expected = |line: &str| line.contains("cannot start the second thread");
    assert!(stderr.lines().all(is_expected), "{stderr}");
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
    assert_only_second_thread(&extension.terminate().stderr);
}

#[test]
fn idle_connections_do_not_lock_the_platform_out() {
    // The test itself needs a descriptor for each connection.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the limit can be raised");
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let start = Start::with_telemetry_port(TELEMETRY)
        .env("HANDLER", "count")
        .with(&platform);
    let ports = [start.port(), start.telemetry_port()];
    let mut extension = start.start();
    let _ = (platform.request(), platform.request());
    // As many as an instance of the platform may have.
    extension.limit_descriptors(1024);
    let mut idle = Vec::new();
    for (calls, port) in (1..).zip(ports) {
        idle.extend((0..1100).map(|_| Client::connect(port)));
        assert_eq!(post(ports[0], INVOKE, event("1")).status, 200);
        assert_eq!(post(ports[1], "/", "[1]").status, 200);
        extension.wait_for(&format!("call {calls}: 1 events"));
    }
    assert_only_second_thread(&extension.terminate().stderr);
}

#[test]
fn invocations_in_flight_are_limited() {
    // The test itself needs a descriptor for each connection.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the limit can be raised");
    let extension = Start::new(FIXTURE)
        .env("FG_SHUTDOWN_TIMEOUT", "1s")
        .registered();
    let hang = |count| -> Vec<_> {
        let clients = (0..count).map(|_| {
            let mut client = Client::connect(extension.port());
            client.send(request("POST", INVOKE, event("hang")));
            client
        });
        clients.collect()
    };
    let _hanging = hang(800);
    // Their connections do not count as waiting ones, so new ones are served.
    for _ in 0..20 {
        let mut client = Client::connect(extension.port());
        client.send(HALF_HEADER);
        client.send(" x\r\nContent-Length: 48\r\n\r\n");
        client.send(r#"{"traceId": "1", "invokedFunctionUrn": "a:b:c"} "#);
        assert_eq!(client.receive().status, 200);
    }
    let _hanging_too = hang(300);
    // Those that the extension has not read yet are not in flight.
    let start = Instant::now();
    while post(extension.port(), INVOKE, event("1")).status != 503 {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    let message = "too many invocations are in flight; retry later";
    let rejected = post(extension.port(), INVOKE, event("1")).json();
    assert_eq!(rejected["errorInfo"]["errorMessage"], message);
    let exited = extension.terminate();
    assert!(
        exited.stderr.contains("aborted 1024 invocations"),
        "{}",
        exited.stderr
    );
}

#[test]
fn author_has_descriptors_left() {
    for (limit, expected) in [("-S -n 64", None), ("-n 64", Some(64))] {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let extension = Start::by_script(FIXTURE, &format!("ulimit {limit}; exec \"$0\""))
            .with(&platform)
            .start();
        let _ = platform.request();
        let mut clients: Vec<_> = (0..100).map(|_| connect(&extension, "")).collect();
        let (soft, hard) = extension.descriptor_limits();
        assert_eq!((soft, soft), (hard, expected.unwrap_or(soft)), "{limit}");
        let open = extension.descriptors();
        if expected.is_some() {
            assert!((50..=60).contains(&open), "{limit}: {open}");
        } else {
            assert!(soft < 200 || open > 100, "{limit}: {open}");
        }
        let mut last = clients.pop().expect("there are clients");
        last.send(request("POST", INVOKE, event("2")));
        assert_eq!(last.receive().status, 200);
    }
}

#[test]
fn connections_of_clients_that_left_are_released() {
    // The handlers do not complete before this number of them has started.
    const TOGETHER: usize = 64;
    let mut extension = registered();
    let clients: Vec<_> = (1..TOGETHER)
        .map(|i| {
            let mut client = Client::connect(extension.port());
            client.send(request("POST", INVOKE, event("together")));
            if i % 2 == 0 {
                client.close_write();
            }
            client
        })
        .collect();
    (1..TOGETHER).for_each(|_| extension.wait_for("invoked together"));
    assert!(extension.descriptors() >= TOGETHER);
    drop(clients);
    let deadline = Instant::now() + Duration::from_secs(20);
    while extension.descriptors() > TOGETHER / 2 {
        let open = extension.descriptors();
        assert!(Instant::now() < deadline, "{open} descriptors are open");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The handlers still run.
    assert_eq!(
        post(extension.port(), INVOKE, event("together")).status,
        200
    );
    (0..TOGETHER).for_each(|_| extension.wait_for("handled together"));
}

/// Returns an invocation of nearly 6 MB: `start`, as many copies of `part` as fit, and `end`.
fn fill(start: &str, part: &[u8], end: &str) -> Vec<u8> {
    let copies = (6 * MB - start.len() - end.len()) / part.len();
    [start.as_bytes(), &part.repeat(copies), end.as_bytes()].concat()
}

const MB: usize = 1024 * 1024;
const FIELDS: &str = r#"{"traceId":"1","invokedFunctionUrn":"a:b""#;

#[test]
fn memory_of_an_invocation_is_bounded() {
    // The limit is 16 MB, and a release build takes up to 3 MB before its first request.
    const LIMIT: usize = 13 * MB;
    let text = r#"{"traceId":"1","invokedFunctionUrn":"a:b","x":""#;
    for (name, body, status) in [
        ("small fields", fill(FIELDS, b",\"\":0", "}"), 200),
        ("a large field", fill(text, b"x", "\"}"), 200),
        (
            "small arrays",
            fill(&format!("{FIELDS},\"x\":[0"), b",[]", "]}"),
            200,
        ),
        (
            "brackets",
            fill(&format!("{FIELDS},\"x\":"), b"[", "}"),
            400,
        ),
        ("line breaks", fill(text, b"\n", "\"}"), 400),
        (
            "some line breaks",
            fill(text, &[b"\n", [b'x'; 99].as_slice()].concat(), "\"}"),
            400,
        ),
        ("one line break", fill(text, b"x", "\n\"}  "), 200),
        ("bytes that are not UTF-8", fill(text, b"\xff", "\"}"), 400),
        (
            "a byte that is not UTF-8",
            [&fill(text, b"x", "")[..6 * MB - 100], b"\xff\"}"].concat(),
            200,
        ),
        (
            "escapes in the trace ID",
            fill("{\"traceId\":\"", b"\\n", "\"}"),
            400,
        ),
        (
            "a long URN",
            fill("{\"traceId\":\"1\",\"invokedFunctionUrn\":\"", b"x", "\"}"),
            200,
        ),
        (
            "a long name with escapes",
            fill(&format!("{FIELDS},\""), b"\\n", "\":0}"),
            200,
        ),
        ("spaces", fill(FIELDS, b" ", "}"), 200),
    ] {
        let extension = registered();
        let base = extension.peak_memory();
        let response = post(extension.port(), INVOKE, &body);
        assert_eq!(response.status, status, "{name}");
        let peak = extension.peak_memory();
        assert!(peak - base <= LIMIT, "{name}: {peak}");
    }
}

#[test]
fn large_invocation_does_not_hold_up_others() {
    let mut extension = registered();
    let large = fill(FIELDS, b",\"\":0", "}");
    let (most, rest) = large.split_at(large.len() - 100);
    let mut clients = [connect(&extension, ""), connect(&extension, "")];
    clients[0].send(format!(
        "POST {INVOKE} HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
        large.len()
    ));
    clients[0].send(most);
    // The extension reads what has arrived while it responds to these.
    for _ in 0..50 {
        assert_eq!(post(extension.port(), INVOKE, event("before")).status, 200);
        extension.wait_for("handled before");
    }
    // The rest of the large invocation arrives first, just before the small one.
    extension.freeze(Duration::ZERO, || {
        clients[0].send(rest);
        clients[1].send(request("POST", INVOKE, event("small")));
    });
    let first = extension.wait_for_start_of_line("invoked ");
    assert_eq!(first, "invoked small");
    for client in &mut clients {
        assert_eq!(client.receive().status, 200);
    }
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
    let long = "x".repeat(15_000);
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
