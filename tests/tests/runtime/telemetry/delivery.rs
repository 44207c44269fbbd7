//! Tests of the delivery of telemetry events to the handler.

use std::time::Duration;

use fg_extension_tests::{Client, post, request};
use serde_json::json;

use super::{counters, invoke, start_interactive, sum, telemetry, wait_for_counters};

#[test]
fn events_are_delivered_complete_and_in_order() {
    let mut extension = start_interactive();
    let port = extension.port();
    let strange = r#"[null, 1, {}, {"name": "platform.start ", "x": [1e999], "traceId": "1"},]"#;
    assert_eq!(post(port, "/", strange).status, 200);
    extension.wait_for(
        r#"call 1: [null,1,{},{"name": "platform.start ", "x": [1e999], "traceId": "1"}]"#,
    );
    // Batches that arrive while the handler runs are delivered together.
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
    wait_for_counters(&mut extension, &counters(54, 54, 0, 0, 0));
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

#[test]
fn body_that_is_not_a_batch_is_rejected() {
    let extension = telemetry().registered();
    let port = extension.port();
    let rejected = post(port, "/", "[1, 2");
    assert_eq!(rejected.status, 400);
    assert_eq!(
        rejected.json(),
        json!({"errorInfo": {
            "errorType": "InvalidTelemetry",
            "errorMessage": "invalid telemetry: EOF while parsing a list at line 1 column 5",
        }})
    );
    // Apart from trailing commas and line breaks in strings, invalid JSON is not repaired.
    for body in [
        "null",
        r#"{"name": "platform.start"}"#,
        "[1, oops]",
        r#"["\x"]"#,
        "[1,,]",
    ] {
        assert_eq!(post(port, "/", body).status, 400, "{body}");
    }
    assert_eq!(post(port, "/", " ".repeat(7 * 1024 * 1024)).status, 413);
    assert_eq!(post(port, "/", "[[1,],]").status, 200);
    assert_eq!(post(port, "/", "\u{feff}[\"a\nb\"]").status, 200);
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "WARN extensionTelemetry.sh: telemetry: rejected 1 request: invalid telemetry: \
         EOF while parsing a list at line 1 column 5"
    );
    // At most one line is logged per second. Unless the machine is slow, all other rejections share one line.
    let rejected = "telemetry: rejected ";
    assert_eq!(sum(&lines, rejected), 7, "{lines:?}");
    let last = lines[lines.len() - 1];
    assert!(
        last.ends_with(", last: the body is larger than 6 MB"),
        "{last}"
    );
}

#[test]
fn full_buffer_responds_with_503() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_BUFFER", "1KiB")
        .registered();
    let port = extension.port();
    let batch = json!([{"type": "function", "record": "x".repeat(300)}]).to_string();
    assert_eq!(post(port, "/", &batch).status, 200);
    extension.wait_for(&format!("call 1: {batch}"));
    assert_eq!(post(port, "/", &batch).status, 200);
    let rejected = post(port, "/", &batch);
    assert_eq!(
        (rejected.status, rejected.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        rejected.json()["errorInfo"]["errorType"],
        "TelemetryBufferFull"
    );
    extension.type_line("go on");
    extension.wait_for("done 1");
    assert_eq!(post(port, "/", &batch).status, 200);
    for call in ["done 2", "done 3"] {
        extension.type_line("go on");
        extension.wait_for(call);
    }
    wait_for_counters(&mut extension, &counters(3, 3, 1, 0, 0));
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    assert_eq!(
        exited.stderr,
        "WARN extensionTelemetry.sh: telemetry: 1 batch rejected with status 503: the buffer is full; increase \
         FG_TELEMETRY_BUFFER\n"
    );
}

#[test]
fn removed_setting_is_reported_at_start_up() {
    let extension = telemetry()
        .env("FG_TELEMETRY_OVERFLOW", "drop-oldest")
        .registered();
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stderr.as_str()),
        (
            Some(0),
            "WARN extensionTelemetry.sh: FG_TELEMETRY_OVERFLOW was removed: a batch that does not fit into the buffer is \
             rejected with status 503; unset it\n"
        )
    );
}

#[test]
fn failing_handler_is_called_again_with_the_same_events() {
    let mut extension = start_interactive();
    let port = extension.port();
    for i in 1..=2 {
        assert_eq!(post(port, "/", json!([i]).to_string()).status, 200);
        if i == 1 {
            extension.wait_for("call 1: [1]");
        }
    }
    for (call, behavior) in [(2, "fail"), (3, "panic"), (4, "fail")] {
        extension.type_line(behavior);
        extension.wait_for(&format!("call {call}: [1]"));
    }
    extension.type_line("go on");
    extension.wait_for("call 5: [2]");
    extension.type_line("go on");
    extension.wait_for("done 5");
    wait_for_counters(&mut extension, &counters(2, 2, 0, 0, 0));
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert_eq!(
        lines[0],
        r"WARN extensionTelemetry.sh: telemetry: the handler failed: the backend\nis down"
    );
    // At most one line is logged per second. Unless the machine is slow, all other failures share one line.
    let failed = "telemetry: the handler failed";
    assert_eq!(sum(&lines, failed), 3, "{lines:?}");
    let last = lines[lines.len() - 1];
    assert!(last.ends_with(r": the backend\nis down"), "{last}");
}

#[test]
fn undelivered_events_are_reported() {
    for handler in ["fail", "hang", "panic"] {
        let mut extension = telemetry()
            .env("HANDLER", handler)
            .env("FG_TELEMETRY_TIMEOUT", "150ms")
            .registered();
        let port = extension.port();
        assert_eq!(post(port, "/", "[1, 2]").status, 200);
        extension.wait_for("call 1: [1,2]");
        assert_eq!(post(port, "/", "[3]").status, 200);
        // Once the handler is called with other events, the first ones are lost.
        extension.wait_for_end_of_line(": [3]");
        let mut line = extension.error_line();
        assert!(
            line.starts_with("WARN extensionTelemetry.sh: telemetry: the handler failed: ")
                || handler == "hang"
                    && line
                        == "ERROR extensionTelemetry.sh: telemetry: the handler failed: timed out after 150ms; 2 events lost: not delivered within FG_TELEMETRY_TIMEOUT",
            "{line}"
        );
        // On a slow machine, other lines may come first.
        while !line.contains(" lost: not delivered within FG_TELEMETRY_TIMEOUT") {
            line = extension.error_line();
        }
        assert!(
            line.starts_with("ERROR extensionTelemetry.sh: telemetry: the handler failed"),
            "{line}"
        );
        wait_for_counters(&mut extension, &counters(3, 0, 0, 3, 0));
        let exited = extension.terminate();
        assert_eq!(exited.code, Some(1), "{exited:?}");
        assert!(
            exited.stderr.ends_with(
                "ERROR extensionTelemetry.sh: 3 acknowledged telemetry events were not delivered within FG_TELEMETRY_TIMEOUT\n"
            ),
            "{exited:?}"
        );
    }
}

#[test]
fn event_that_always_fails_does_not_affect_other_events() {
    let mut extension = telemetry()
        .env("HANDLER", "ask, then fail on 2")
        .env("FG_TELEMETRY_TIMEOUT", "2s")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[0]").status, 200);
    extension.wait_for("call 1: [0]");
    for batch in ["[1]", "[2]", "[3]"] {
        assert_eq!(post(port, "/", batch).status, 200);
    }
    extension.type_line("go on");
    extension.wait_for("call 2: [1,2,3]");
    extension.wait_for("call 3: [1]");
    extension.wait_for("done 3");
    // The event that fails is retried until its timeout.
    extension.wait_for("call 4: [2]");
    extension.wait_for_end_of_line(": [3]");
    wait_for_counters(&mut extension, &counters(4, 3, 0, 1, 0));
}

#[test]
fn freeze_does_not_count_towards_the_timeout() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_TELEMETRY_TIMEOUT", "4s")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    for answer in ["fail", "go on"] {
        // Longer than an attempt may take, and in total longer than FG_TELEMETRY_TIMEOUT.
        extension.freeze(Duration::from_millis(2500), || {});
        // By then, the timers that are due have fired.
        assert_eq!(invoke(&extension), 200);
        extension.type_line(answer);
        if answer == "fail" {
            extension.wait_for("call 2: [1]");
        }
    }
    // The attempt that was frozen was not aborted.
    extension.wait_for("done 2");
    wait_for_counters(&mut extension, &counters(1, 1, 0, 0, 0));
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let failed =
        "WARN extensionTelemetry.sh: telemetry: the handler failed: the backend\\nis down\n";
    assert_eq!(exited.stderr, failed);
}

/// An extension that subscribes to the logs of extensions receives its own log lines as telemetry.
#[test]
fn log_lines_about_own_log_lines_do_not_multiply() {
    let mut extension = telemetry()
        .env("HANDLER", "quote")
        .env("FG_TELEMETRY_TIMEOUT", "50ms")
        .registered();
    let port = extension.port();
    let mut longest = 0;
    let start = std::time::Instant::now();
    for line in 0..3 {
        let record = match line {
            0 => "x".repeat(2000),
            _ => extension.error_line(),
        };
        longest = longest.max(if line == 0 { 0 } else { record.len() });
        let event = json!([{"type": "extension", "record": record}]);
        for _ in 0..20 {
            assert_eq!(post(port, "/", event.to_string()).status, 200);
        }
    }
    let _ = extension.error_line();
    // Three lines were logged, of which only the first is not throttled.
    assert!(
        start.elapsed() > std::time::Duration::from_millis(1900),
        "{:?}",
        start.elapsed()
    );
    assert!(longest < 2000, "{longest}");
    // Log lines that are posted to a wrong path.
    for _ in 0..200 {
        assert_eq!(post(port, "/elsewhere", "[]").status, 404);
    }
    let stderr = extension.terminate().stderr;
    assert!(stderr.lines().count() < 60, "{stderr}");
}
