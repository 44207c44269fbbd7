//! Tests of what a registration does while a response is missing: freezes, slow responses, several attempts.

use std::time::{Duration, Instant};

use fg_extension_tests::{Extension, ScriptedPlatform, ScriptedResponse, Start, event, post};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// Starts an extension whose first request gets no response for now.
fn unanswered(timeout: &str, further: &[ScriptedResponse]) -> (ScriptedPlatform, Extension) {
    let first = [ScriptedResponse::Silence];
    let platform = ScriptedPlatform::start(first.iter().chain(further).cloned());
    let extension = Start::new(FIXTURE)
        .with(&platform)
        .env("FG_REGISTER_TIMEOUT", timeout)
        .start();
    let _ = platform.request();
    (platform, extension)
}

/// Asserts that the extension is registered, and that the platform received no further request.
#[track_caller]
fn assert_registered(platform: &ScriptedPlatform, extension: Extension) {
    let response = post(extension.port(), "/extension/invoke", event("1"));
    assert_eq!(response.status, 200);
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
    assert_eq!(platform.count(), 0, "it registered again");
}

/// With the default timeout of 10 s, these are freezes of 9 s and 15 s.
#[test]
fn response_that_arrives_during_a_freeze_is_accepted() {
    in_parallel([1800, 3000], |freeze| {
        let (platform, extension) = unanswered("2s", &[]);
        extension.freeze(Duration::from_millis(freeze), || {
            platform.respond(&ScriptedResponse::registered());
        });
        assert_registered(&platform, extension);
    });
}

/// The platform may be frozen together with the extension.
#[test]
fn response_that_arrives_after_a_freeze_is_accepted() {
    let (platform, extension) = unanswered("2s", &[]);
    extension.freeze(Duration::from_secs(3), || {});
    platform.respond(&ScriptedResponse::registered());
    assert_registered(&platform, extension);
}

#[test]
fn rejection_of_a_duplicate_is_not_final() {
    let duplicate = ScriptedResponse::status("409 Conflict", "duplicate");
    let start = Instant::now();
    let (platform, extension) = unanswered("4s", &[duplicate]);
    let _ = platform.request();
    let elapsed = start.elapsed();
    assert!(
        elapsed > Duration::from_millis(2400),
        "a platform that responds after 60 % of the timeout would receive two registrations: {elapsed:?}"
    );
    platform.respond(&ScriptedResponse::registered());
    assert_registered(&platform, extension);
}

#[test]
fn rejection_of_a_duplicate_is_final_if_the_other_attempt_fails() {
    in_parallel([false, true], |is_closed| {
        let duplicate = ScriptedResponse::status("409 Conflict", "duplicate");
        let (platform, extension) = unanswered("1s", &[duplicate]);
        let _ = platform.request();
        if is_closed {
            platform.respond(&ScriptedResponse::Close);
        }
        let exited = extension.wait();
        assert_eq!(exited.code, Some(1));
        assert!(
            exited.stderr.contains(" with status 409: duplicate; "),
            "{}",
            exited.stderr
        );
        assert_eq!(platform.count(), 0, "a rejection is final");
    });
}

#[test]
fn response_to_the_second_attempt_is_accepted() {
    let failures = [
        ScriptedResponse::Close,
        ScriptedResponse::status("503 Service Unavailable", ""),
        ScriptedResponse::status("403 Forbidden", "not booted yet"),
    ];
    in_parallel(failures, |failure| {
        let (platform, extension) = unanswered("4s", &[ScriptedResponse::Silence]);
        let _ = platform.request();
        platform.respond(&failure);
        platform.respond(&ScriptedResponse::registered());
        assert_registered(&platform, extension);
    });
}

#[test]
fn endless_informational_responses_are_a_failed_attempt() {
    let informational = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    let platform = ScriptedPlatform::start([
        ScriptedResponse::Flood(Vec::new(), informational),
        ScriptedResponse::registered(),
    ]);
    let mut extension = Start::new(FIXTURE)
        .with(&platform)
        .env("FG_LOG", "info")
        .start();
    let line = extension.error_line();
    assert!(
        line.ends_with(": the headers of the response are too large"),
        "{line}"
    );
    let _ = (platform.request(), platform.request());
    assert_eq!(extension.terminate().code, Some(0));
}

/// The platform sends without a pause, so that the extension never has to wait for the socket.
#[test]
fn endless_body_does_not_outlast_its_time_limit() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1;{}\r\nx\r\n", "x".repeat(20_000)).into_bytes();
    let platform = ScriptedPlatform::start([ScriptedResponse::Flood(head, chunk)]);
    let extension = Start::new(FIXTURE).with(&platform).start();
    let _ = platform.request();
    let response = post(extension.port(), "/extension/invoke", event("1"));
    assert_eq!(response.status, 200);
    assert_eq!(extension.terminate().code, Some(0));
}

/// Runs a test with each of the values at the same time.
fn in_parallel<T: Send>(values: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for value in values {
            scope.spawn(move || test(value));
        }
    });
}
