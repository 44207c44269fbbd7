//! Telemetry: subscription, delivery, and its end.

use fg_extension_tests::{
    Answer, Client, Extension, ScriptedPlatform, Start, event, golden, post, request,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const TELEMETRY: &str = env!("CARGO_BIN_EXE_telemetry");

fn telemetry() -> Start {
    Start::new(TELEMETRY)
}

/// One that prints the events of a call, and then does what a line says.
fn asking() -> Extension {
    telemetry().env("HANDLER", "ask").registered()
}

/// What the fixture prints of its counters.
fn counters(received: u64, delivered: u64, refused: u64, lost: u64, queued: u64) -> String {
    format!(
        "TelemetryCounters {{ received: {received}, delivered: {delivered}, refused: {refused}, lost: {lost}, \
         bytes_queued: {queued} }}"
    )
}

fn invoke(extension: &Extension) -> u16 {
    post(extension.port(), "/extension/invoke", event("1")).status
}

#[test]
fn subscribes_once_registered() {
    let platform = ScriptedPlatform::start([Answer::registered()]);
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

    // Telemetry has a listener of its own; invocations go on.
    assert_eq!(post(telemetry_port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    assert_eq!(post(telemetry_port, "/extension/invoke", "[2]").status, 200);
    extension.wait_for("call 2: [2]");
    let got = Client::connect(telemetry_port)
        .send(request("GET", "/", ""))
        .receive();
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    assert_eq!(invoke(&extension), 200);
    let ended = extension.terminate();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(0),
            "WARN extensionTelemetry.sh: telemetry: requests that were refused: 1, last: telemetry comes by POST, not \
             GET\n"
        )
    );
    assert_eq!(platform.count(), 0);
}

#[test]
fn listens_before_it_registers() {
    let platform = ScriptedPlatform::start([Answer::Silence]);
    let start = Start::with_telemetry_port(TELEMETRY).with(&platform);
    let telemetry_port = start.telemetry_port();
    let _extension = start.start();
    let _ = platform.request();
    drop(Client::connect(telemetry_port));
}

#[test]
fn subscription_is_tried_again() {
    let platform = ScriptedPlatform::start([
        Answer::registered(),
        Answer::status("503 Service Unavailable", ""),
        Answer::Close,
        Answer::status("500 Internal Server Error", "{}"),
        Answer::status("200 OK", ""),
    ]);
    let extension = telemetry().with(&platform).start();
    for _ in 0..5 {
        let _ = platform.request();
    }
    let ended = extension.terminate();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(platform.count(), 0);
}

#[test]
fn refused_subscription_is_told_and_survived() {
    let said =
        r#"{"errorInfo": {"errorType": "Subscribed", "errorMessage": "there is\na subscriber"}}"#;
    for (answer, told) in [
        (
            Answer::status("400 Bad Request", said),
            r"refused the subscription of 127.0.0.1:PORT with status 400: Subscribed: there is\na subscriber; ",
        ),
        (
            Answer::status("200 OK", said),
            r"refused the subscription of 127.0.0.1:PORT with status 200: Subscribed: there is\na subscriber",
        ),
        (Answer::Close, "in 200ms ("),
        (Answer::Silence, "no answer in time"),
    ] {
        let platform = ScriptedPlatform::start([Answer::registered(), answer]);
        let start = telemetry()
            .env("FG_REGISTER_TIMEOUT", "200ms")
            .with(&platform);
        let told = told.replace("PORT", &start.telemetry_port().to_string());
        let mut extension = start.start();
        // Invocations are served while the subscription is tried.
        let _ = (platform.request(), platform.request());
        assert_eq!(invoke(&extension), 200);
        let line = extension.error_line();
        let prefix = "ERROR extensionTelemetry.sh: there will be no telemetry: ";
        assert!(line.starts_with(prefix) && line.contains(&told), "{line}");
        assert_eq!(invoke(&extension), 200);
        let ended = extension.terminate();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn taken_port_is_told_and_survived() {
    let platform = ScriptedPlatform::start([Answer::registered()]);
    let start = Start::with_telemetry_port(TELEMETRY).with(&platform);
    let telemetry_port = start.telemetry_port();
    let _holder = std::net::TcpListener::bind(("127.0.0.1", telemetry_port)).unwrap();
    let extension = start.start();
    let _ = platform.request();
    assert_eq!(invoke(&extension), 200);
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.starts_with(&format!(
            "ERROR extensionTelemetry.sh: there will be no telemetry: cannot listen on 127.0.0.1:{telemetry_port}, \
             which another process holds; set FG_TELEMETRY_PORT="
        )) && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
    assert_eq!(platform.count(), 0);
}

#[test]
fn events_come_whole_and_in_order() {
    let mut extension = asking();
    let port = extension.port();
    let strange = r#"[null, 1, {}, {"name": "platform.start ", "traceId": "1", "x": [true]},]"#;
    assert_eq!(post(port, "/", strange).status, 200);
    extension.wait_for(r#"call 1: [null,1,{},{"name":"platform.start","traceId":"1","x":[true]}]"#);
    // What comes while the handler runs is joined into one call.
    let mut client = Client::connect(port);
    for i in 0..50 {
        let batch = json!([{"type": "function", "record": i}]).to_string();
        let response = client.send(request("POST", "/", batch)).receive();
        assert_eq!((response.status, response.json()), (200, json!({})));
    }
    assert_eq!(post(port, "/", "[]").status, 200);
    extension.type_line("go on");
    let events: Vec<_> = (0..50)
        .map(|i| json!({"type": "function", "record": i}))
        .collect();
    extension.wait_for("done 1");
    extension.wait_for(&format!("call 2: {}", json!(events)));
    extension.type_line("go on");
    extension.wait_for("done 2");
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(54, 54, 0, 0, 0));
    let ended = extension.terminate();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_is_no_batch_is_refused() {
    let extension = telemetry().registered();
    let port = extension.port();
    let refused = post(port, "/", "[1, 2");
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({"errorInfo": {
            "errorType": "InvalidTelemetry",
            "errorMessage": "the body is no telemetry: EOF while parsing a list at line 1 column 5",
        }})
    );
    assert_eq!(post(port, "/", "null").status, 400);
    assert_eq!(post(port, "/", " ".repeat(7 * 1024 * 1024)).status, 413);
    assert_eq!(post(port, "/", "[1]").status, 200);
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(0));
    let lines: Vec<_> = ended.stderr.lines().collect();
    // The others were less than a second after it.
    assert_eq!(
        lines,
        [
            "WARN extensionTelemetry.sh: telemetry: requests that were refused: 1, last: the body is no telemetry: \
             EOF while parsing a list at line 1 column 5",
            "WARN extensionTelemetry.sh: telemetry: requests that were refused: 2, last: the body is larger than 6 MB",
        ]
    );
}

#[test]
fn full_buffer_asks_to_try_again() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_BUFFER", "1KiB")
        .registered();
    let port = extension.port();
    let batch = json!([{"type": "function", "record": "x".repeat(400)}]).to_string();
    assert_eq!(post(port, "/", &batch).status, 200);
    extension.wait_for(&format!("call 1: {batch}"));
    assert_eq!(post(port, "/", &batch).status, 200);
    let refused = post(port, "/", &batch);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        refused.json()["errorInfo"]["errorType"],
        "TelemetryBufferFull"
    );
    extension.type_line("go on");
    extension.wait_for("done 1");
    assert_eq!(post(port, "/", &batch).status, 200);
    for call in ["done 2", "done 3"] {
        extension.type_line("go on");
        extension.wait_for(call);
    }
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(3, 3, 1, 0, 0));
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stderr,
        "WARN extensionTelemetry.sh: telemetry: 1 event refused with status 503; FG_TELEMETRY_BUFFER sets how many \
         bytes may wait\n"
    );
}

#[test]
fn oldest_are_dropped_where_that_is_asked_for() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_BUFFER", "1500")
        .env("FG_TELEMETRY_OVERFLOW", "drop-oldest")
        .registered();
    let port = extension.port();
    let batch =
        |i| json!([{"type": "function", "record": format!("{i}{}", "x".repeat(400))}]).to_string();
    assert_eq!(post(port, "/", batch(1)).status, 200);
    extension.wait_for(&format!("call 1: {}", batch(1)));
    for i in 2..=5 {
        assert_eq!(post(port, "/", batch(i)).status, 200);
    }
    extension.type_line("go on");
    extension.wait_for("done 1");
    // One by one: at most half of the buffer is given to the handler at once.
    for (call, i) in [(2, 4), (3, 5)] {
        extension.wait_for(&format!("call {call}: {}", batch(i)));
        extension.type_line("go on");
        extension.wait_for(&format!("done {call}"));
    }
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(5, 3, 0, 2, 0));
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(0));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        lines[0],
        "ERROR extensionTelemetry.sh: telemetry: 1 event lost, dropped for newer ones; FG_TELEMETRY_BUFFER sets how \
         many bytes may wait"
    );
}

#[test]
fn failing_handler_is_called_again_with_the_same_events() {
    let mut extension = asking();
    let port = extension.port();
    for i in 1..=2 {
        assert_eq!(post(port, "/", json!([i]).to_string()).status, 200);
        if i == 1 {
            extension.wait_for("call 1: [1]");
        }
    }
    for (call, answer) in [(2, "fail"), (3, "panic"), (4, "fail")] {
        extension.type_line(answer);
        extension.wait_for(&format!("call {call}: [1]"));
    }
    extension.type_line("go on");
    extension.wait_for("call 5: [2]");
    extension.type_line("go on");
    extension.wait_for("done 5");
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(2, 2, 0, 0, 0));
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(0));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(
        lines[0],
        r"WARN extensionTelemetry.sh: telemetry: the handler failed: the backend\nis down"
    );
    assert_eq!(
        lines[1..],
        [
            r"WARN extensionTelemetry.sh: telemetry: the handler failed 2 times, last: the backend\nis down"
        ]
    );
}

#[test]
fn what_fails_for_too_long_is_lost_and_told() {
    for handler in ["fail", "hang", "panic"] {
        let mut extension = telemetry()
            .env("HANDLER", handler)
            .env("FG_TELEMETRY_TIMEOUT", "150ms")
            .registered();
        let port = extension.port();
        assert_eq!(post(port, "/", "[1, 2]").status, 200);
        extension.wait_for("call 1: [1,2]");
        assert_eq!(post(port, "/", "[3]").status, 200);
        // The next call with other events says that these are given up.
        extension.wait_for_end_of_line(": [3]");
        let line = extension.error_line();
        assert!(
            line.starts_with("WARN extensionTelemetry.sh: telemetry: the handler failed: ")
                || handler == "hang"
                    && line
                        == "ERROR extensionTelemetry.sh: telemetry: the handler failed: it took longer than 150ms; 2 events lost, since FG_TELEMETRY_TIMEOUT was over; it sets for how long a batch is tried",
            "{line}"
        );
        let line = extension.error_line();
        assert!(
            line.starts_with("ERROR extensionTelemetry.sh: telemetry: the handler failed")
                && line.contains(" lost, since FG_TELEMETRY_TIMEOUT was over; "),
            "{line}"
        );
        assert_eq!(invoke(&extension), 200);
        extension.wait_for(&counters(3, 0, 0, 3, 0));
        let ended = extension.terminate();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[test]
fn everything_acknowledged_is_delivered_before_shutdown() {
    let mut extension = asking();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    assert_eq!(post(port, "/", "[2]").status, 200);
    extension.signal(Signal::SIGTERM);
    extension.type_line("fail");
    extension.wait_for("call 2: [1]");
    extension.type_line("go on");
    extension.wait_for("call 3: [2]");
    extension.type_line("go on");
    let ended = extension.wait();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (
            Some(0),
            format!("done 3\nshutdown, {}\n", counters(2, 2, 0, 0, 0)).as_str()
        )
    );
}

#[test]
fn telemetry_is_taken_in_while_init_runs() {
    let start = Start::with_telemetry_port(TELEMETRY).env("INIT", "ask");
    let telemetry_port = start.telemetry_port();
    let mut extension = start.registered();
    extension.wait_for("init");
    assert_eq!(post(telemetry_port, "/any/path", "[1]").status, 200);
    extension.type_line("go on");
    extension.wait_for("call 1: [1]");
    let ended = extension.terminate();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn telemetry_that_came_before_init_failed_is_counted() {
    for (answer, told) in [
        (
            "panic",
            "ERROR extensionTelemetry.sh: the extension failed to initialise: panicked at ",
        ),
        (
            "",
            "ERROR extensionTelemetry.sh: the extension ended before it was ready, and events of telemetry were not \
             delivered: 2\n",
        ),
    ] {
        let start = Start::with_telemetry_port(TELEMETRY).env("INIT", "ask");
        let telemetry_port = start.telemetry_port();
        let mut extension = start.registered();
        extension.wait_for("init");
        assert_eq!(post(telemetry_port, "/", "[1, 2]").status, 200);
        if answer.is_empty() {
            extension.signal(Signal::SIGTERM);
        } else {
            extension.type_line(answer);
        }
        let ended = extension.wait();
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.starts_with(told), "{}", ended.stderr);
    }
}

#[test]
fn on_the_own_port_subscription_waits_for_init() {
    let platform = ScriptedPlatform::start([Answer::registered()]);
    let mut extension = telemetry().env("INIT", "ask").with(&platform).start();
    let _registration = platform.request();
    extension.wait_for("init");
    assert_eq!(platform.count(), 0);
    extension.type_line("go on");
    assert!(platform.request().starts_with("POST /telemetry "));
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn bad_event_is_not_the_loss_of_others() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_TIMEOUT", "150ms")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[0]").status, 200);
    extension.wait_for("call 1: [0]");
    for batch in ["[1]", "[2]", "[3]"] {
        assert_eq!(post(port, "/", batch).status, 200);
    }
    extension.type_line("go on");
    extension.wait_for("call 2: [1,2,3]");
    extension.type_line("fail");
    extension.wait_for("call 3: [1]");
    extension.type_line("go on");
    for call in 4.. {
        // Until its time is over.
        if extension.wait_for_either(&format!("call {call}: [2]"), &format!("call {call}: [3]")) {
            extension.type_line("fail");
        } else {
            break;
        }
    }
    extension.type_line("go on");
    extension.wait_for_end_of_line("");
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(4, 3, 0, 1, 0));
}

#[test]
fn freeze_is_not_the_handlers_time() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_TIMEOUT", "500ms")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    extension.signal(Signal::SIGSTOP);
    // Longer than the handler has in all: this is about nothing but time.
    std::thread::sleep(std::time::Duration::from_millis(700));
    extension.signal(Signal::SIGCONT);
    extension.type_line("fail");
    extension.wait_for("call 2: [1]");
    extension.type_line("go on");
    extension.wait_for("done 2");
    assert_eq!(invoke(&extension), 200);
    extension.wait_for(&counters(1, 1, 0, 0, 0));
}

#[test]
fn long_queue_does_not_hold_up_the_end_nor_invocations() {
    let mut extension = telemetry()
        .env("HANDLER", "block")
        .env("FG_SHUTDOWN_TIMEOUT", "400ms")
        .registered();
    let port = extension.port();
    // So large that they are not joined, and in one piece, so that they are there at once.
    let batch = json!(vec!["x".repeat(200 * 1024); 25]).to_string();
    assert_eq!(post(port, "/", &batch).status, 200);
    assert_eq!(invoke(&extension), 200);
    extension.wait_for_start_of_line("TelemetryCounters { received: 25, delivered: ");
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.ends_with(
            " events of telemetry were not delivered by the end; \
             FG_SHUTDOWN_TIMEOUT, 400ms, sets how long the end may take\n"
        ),
        "{}",
        ended.stderr
    );
}

#[test]
fn handler_is_tried_at_once_when_the_end_comes() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_SHUTDOWN_TIMEOUT", "1500ms")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    for call in 1..=6 {
        extension.wait_for(&format!("call {call}: [1]"));
        extension.type_line("fail");
    }
    // Now the pause is longer than the time for the end.
    extension.signal(Signal::SIGTERM);
    extension.wait_for("call 7: [1]");
    extension.type_line("go on");
    let ended = extension.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_is_lost_at_the_end_before_its_time_is_over_counts_too() {
    let mut extension = telemetry()
        .env("HANDLER", "fail")
        .env("FG_TELEMETRY_TIMEOUT", "100ms")
        .registered();
    assert_eq!(post(extension.port(), "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.ends_with(
            "ERROR extensionTelemetry.sh: 1 event of telemetry was not delivered by the end; \
             FG_SHUTDOWN_TIMEOUT, 2s, sets how long the end may take\n"
        ),
        "{}",
        ended.stderr
    );
}

#[test]
fn panic_of_a_handler_that_is_given_up_is_one_line() {
    let mut extension = telemetry()
        .env("HANDLER", "hang in drop")
        .env("FG_SHUTDOWN_TIMEOUT", "200ms")
        .registered();
    assert_eq!(post(extension.port(), "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    let ended = extension.terminate();
    assert_eq!(ended.code, Some(1));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(
            "ERROR extensionTelemetry.sh: telemetry: panicked at tests/src/bin/telemetry.rs:"
        ) && lines[0].ends_with(": dropped a bomb"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains(" 1 event of telemetry was not delivered by the end; "),
        "{lines:?}"
    );
}

/// Whoever subscribes to what extensions log is told its own lines.
#[test]
fn extension_that_is_told_its_own_lines_does_not_feed_itself() {
    let mut extension = telemetry()
        .env("HANDLER", "quote")
        .env("FG_TELEMETRY_TIMEOUT", "50ms")
        .registered();
    let port = extension.port();
    let mut longest = 0;
    let began = std::time::Instant::now();
    for line in 0..3 {
        let told = match line {
            0 => "x".repeat(2000),
            _ => extension.error_line(),
        };
        longest = longest.max(if line == 0 { 0 } else { told.len() });
        let event = json!([{"type": "extension", "record": told}]);
        for _ in 0..20 {
            assert_eq!(post(port, "/", event.to_string()).status, 200);
            assert_eq!(post(port, "/elsewhere", event.to_string()).status, 404);
        }
    }
    let _ = extension.error_line();
    // Three lines came, of which the first was free.
    assert!(
        began.elapsed() > std::time::Duration::from_millis(1900),
        "{:?}",
        began.elapsed()
    );
    assert!(longest < 2000, "{longest}");
}

#[test]
fn what_is_not_delivered_by_the_end_is_counted() {
    for (shutdown, told) in [
        (
            false,
            "ERROR extensionTelemetry.sh: 3 events of telemetry were not delivered by the end; \
             FG_SHUTDOWN_TIMEOUT, 200ms, sets how long the end may take",
        ),
        (
            true,
            "ERROR extensionTelemetry.sh: the extension failed to shut down, and 3 events of telemetry were not \
             delivered by the end: the disk is full",
        ),
    ] {
        let mut start = telemetry()
            .env("HANDLER", "hang")
            .env("FG_SHUTDOWN_TIMEOUT", "200ms");
        if shutdown {
            start = start.env("SHUTDOWN", "fail");
        }
        let mut extension = start.registered();
        let port = extension.port();
        assert_eq!(post(port, "/", "[1]").status, 200);
        extension.wait_for("call 1: [1]");
        assert_eq!(post(port, "/", "[2, 3]").status, 200);
        let ended = extension.terminate();
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.trim_end()),
            (
                Some(1),
                format!("shutdown, {}\n", counters(3, 0, 0, 3, 0)).as_str(),
                told
            )
        );
    }
}

#[test]
fn telemetry_is_not_taken_for_what_nobody_subscribed_to() {
    let extension = Start::new(env!("CARGO_BIN_EXE_fixture")).registered();
    assert_eq!(post(extension.port(), "/", "[]").status, 404);
}
