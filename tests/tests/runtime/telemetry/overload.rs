//! Tests of telemetry that is too much: batches that are rejected before they are read, and memory.

use fg_extension_tests::{
    Client, Extension, ScriptedPlatform, ScriptedResponse, Start, post, request,
};
use serde_json::json;

use super::{TELEMETRY, counters, telemetry, wait_for_counters};

const MB: usize = 1024 * 1024;

/// Starts an extension with a full buffer, whose handler waits for a line.
fn start_full() -> Extension {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_BUFFER", "1KiB")
        .registered();
    let batch = json!(["x".repeat(1000)]).to_string();
    assert_eq!(post(extension.port(), "/", batch).status, 200);
    extension.wait_for_start_of_line("call 1: ");
    extension
}

fn head(header: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")
}

#[test]
fn batch_is_rejected_before_it_is_read() {
    let mut extension = start_full();
    let port = extension.port();
    let assert_full = |client: &mut Client| {
        let response = client.receive();
        assert_eq!(
            (response.status, response.header("retry-after")),
            (503, Some("1"))
        );
        let kind = &response.json()["errorInfo"]["errorType"];
        assert_eq!(kind, "TelemetryBufferFull");
    };
    // This client waits for `100 Continue`, and never sends the body.
    let mut client = Client::connect(port);
    client.send(head("Expect: 100-continue\r\nContent-Length: 6000000"));
    assert_full(&mut client);
    // These clients send the whole body before they read the response, and reuse the connection. The body is not parsed:
    // it is not JSON.
    let mut client = Client::connect(port);
    for _ in 0..2 {
        client.send(request("POST", "/", vec![b'x'; 6 * MB]));
        assert_full(&mut client);
    }
    client.send(head("Transfer-Encoding: chunked"));
    for _ in 0..6 {
        let chunk = format!("{MB:x}\r\n{}\r\n", "x".repeat(MB));
        client.send(chunk);
    }
    client.send("0\r\n\r\n");
    assert_full(&mut client);
    extension.type_line("go on");
    extension.wait_for("done 1");
    client.send(request("POST", "/", "[2]"));
    assert_eq!(client.receive().status, 200);
    extension.wait_for("call 2: [2]");
    extension.type_line("go on");
    extension.wait_for("done 2");
    wait_for_counters(&mut extension, &counters(2, 2, 4, 0, 0));
}

#[test]
fn large_bodies_do_not_affect_small_ones() {
    let extension = telemetry().env("HANDLER", "count").registered();
    let port = extension.port();
    // The memory for this body is reserved. Another large body is rejected, with and without a declared length.
    let mut half = Client::connect(port);
    half.send(head("Content-Length: 6000000")).send("[1,");
    let large = format!("[{}1]", " ".repeat(MB));
    let mut client = Client::connect(port);
    for attempt in 0..2 {
        match attempt {
            0 => client.send(request("POST", "/", &large)),
            _ => client
                .send(head("Transfer-Encoding: chunked"))
                .send(format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len())),
        };
        let response = client.receive();
        assert_eq!(
            (response.status, response.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(response.json()["errorInfo"]["errorType"], "Overloaded");
    }
    assert_eq!(post(port, "/", "[1]").status, 200);
    assert_eq!(super::invoke(&extension), 200);
    half.send(format!("{}1]", " ".repeat(6_000_000 - 5)));
    assert_eq!(half.receive().status, 200);
    assert_eq!(
        client.send(request("POST", "/", &large)).receive().status,
        200
    );
}

/// Returns a body of nearly 6 MB: `start`, as many copies of `part` as fit, and `end`.
fn fill(start: &str, part: impl AsRef<[u8]>, end: &str) -> Vec<u8> {
    let part = part.as_ref();
    let room = 6 * MB - start.len() - end.len();
    [
        start.as_bytes(),
        &part.repeat(room / part.len()),
        end.as_bytes(),
    ]
    .concat()
}

#[test]
fn memory_is_bounded() {
    const BUFFER: usize = MB;
    const LIMIT: usize = 16 * MB + 2 * BUFFER;
    let bodies = [
        ("commas", fill("[1", ",", "]"), 400),
        ("numbers", fill("[1", ",1", "]"), 200),
        ("objects", fill("[1", ",{}", "]"), 200),
        ("trailing commas", fill("[", "[1,],", "]"), 200),
        ("one array of objects", fill("[[0", ",{\"\":0}", "]]"), 200),
        (
            "a log with an array",
            fill(
                "[{\"type\":\"function\",\"record\":[0",
                ",{\"a\":[1]}",
                "]}]",
            ),
            200,
        ),
        (
            "a log with a field of many fields",
            fill(
                "[{\"type\":\"function\",\"record\":{\"a\":0",
                ",\"a\":0",
                "}}]",
            ),
            200,
        ),
        (
            "escapes in a trace ID",
            fill("[{\"type\":\"function\",\"traceId\":\"", "\\n", "\"}]"),
            200,
        ),
        ("brackets", fill("[", "[", "]"), 400),
        ("a string", fill("\"", "x", "\""), 400),
        ("a line break", fill("[\"\n", "x", "\"]"), 200),
        ("bytes that are not UTF-8", fill("[\"", b"\xff", "\"]"), 400),
        (
            "some bytes that are not UTF-8",
            fill("[\"", b"12345678\xff", "\"]"),
            400,
        ),
        (
            "fewer bytes that are not UTF-8",
            [b"[\"\xff", vec![b'x'; 6 * MB - 100].as_slice(), b"\"]"].concat(),
            200,
        ),
    ];
    for (name, body, status) in bodies {
        let mut extension = telemetry()
            .env("HANDLER", "count")
            .env("FG_TELEMETRY_BUFFER", BUFFER.to_string())
            .registered();
        let response = post(extension.port(), "/", &body);
        assert_eq!(response.status, status, "{name}");
        if status == 200 {
            extension.wait_for_start_of_line("call 1: ");
        }
        assert_eq!(
            post(
                extension.port(),
                "/extension/invoke",
                fg_extension_tests::event("1")
            )
            .status,
            200
        );
        let peak = extension.peak_memory();
        assert!(peak <= LIMIT, "{name}: {peak}");
    }
}

#[test]
fn memory_of_half_sent_requests_is_bounded() {
    let extension = telemetry()
        .env("HANDLER", "count")
        .env("FG_TELEMETRY_BUFFER", MB.to_string())
        .registered();
    let port = extension.port();
    let base = extension.peak_memory();
    let mut clients = Vec::new();
    for i in 0..200 {
        let mut client = Client::connect(port);
        match i % 4 {
            0 => client
                .send(head("Content-Length: 6000000"))
                .send(vec![b' '; 60_000]),
            1 => client
                .send(head("Content-Length: 60001"))
                .send(vec![b' '; 60_000]),
            2 => client
                .send(head("Transfer-Encoding: chunked"))
                .send(format!("ea61\r\n{}", " ".repeat(60_000))),
            _ => client
                .send("POST / HTTP/1.1\r\nx: ")
                .send(vec![b'x'; 60_000]),
        };
        clients.push(client);
    }
    // Small bodies are read even if half-sent ones take all of the memory for them.
    assert_eq!(super::invoke(&extension), 200);
    // Idle connections do not keep large buffers.
    for _ in 0..200 {
        let mut client = Client::connect(port);
        client.send(request("PUT", "/", vec![b' '; 60_000]));
        assert_eq!(client.receive().status, 404);
        clients.push(client);
    }
    // Neither do many connections on which nothing else has been sent.
    for i in 0..600 {
        let mut client = Client::connect(port);
        // The extension may have closed the connection already.
        match i % 3 {
            0 => client.try_send("POST / HTTP/1.1\r\nHost:"),
            1 => client.try_send(head("Content-Length: 60000") + "["),
            _ => client.try_send(head("Transfer-Encoding: chunked") + "1\r\n["),
        }
        clients.push(client);
    }
    assert_eq!(post(port, "/", "[1]").status, 200);
    let peak = extension.peak_memory();
    // The limit of a packaged program is 18 MB, of which it takes 2 MB before its first request. In a debug build, each
    // connection takes more. Without limits, it would be 80 MB.
    assert!(peak - base <= 20 * MB, "{peak} - {base}");
}

#[test]
fn chunked_bodies_do_not_keep_each_other_from_completing() {
    let extension = telemetry().env("HANDLER", "count").registered();
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, " ".repeat(100_000));
    let begin = |start: &str| {
        let mut client = Client::connect(extension.port());
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(format!("{:x}\r\n{start}\r\n{chunk}", start.len()));
        client
    };
    let mut clients: Vec<_> = (0..8).map(|_| begin("[")).collect();
    for client in &mut clients {
        client.try_send(chunk.repeat(10) + "1\r\n]\r\n0\r\n\r\n");
    }
    let statuses: Vec<_> = clients.iter_mut().map(|it| it.receive().status).collect();
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn large_log_is_delivered_with_little_address_space() {
    // The limit, 128 MB, is the memory of the smallest instance.
    let script = "ulimit -v 131072; exec \"$0\"";
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let mut extension = Start::by_script(TELEMETRY, script)
        .env("HANDLER", "count")
        .with(&platform)
        .start();
    let _ = platform.request();
    let log = |start| {
        let start = format!("[{start}{{\"type\":\"function\",\"record\":[0");
        fill(&start, ",{\"a\":[1]}", "]}]")
    };
    for (call, body) in [(1, log("")), (2, log("0,"))] {
        let response = post(extension.port(), "/", body);
        assert_eq!(response.status, 200);
        extension.wait_for_start_of_line(&format!("call {call}: "));
    }
    assert_eq!(extension.terminate().code, Some(0));
}
