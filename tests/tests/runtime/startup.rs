//! Failures at start-up: each prints one line to stderr and exits with status 1.

use std::net::TcpListener;

use fg_extension_tests::{ExitedProcess, ScriptedPlatform, ScriptedResponse, Start, golden};

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");

/// Asserts that the extension failed with a single line on stderr, and returns the line without its prefix.
#[track_caller]
fn failure(exited: &ExitedProcess) -> &str {
    assert_eq!(exited.code, Some(1), "{exited:?}");
    assert_eq!(exited.stdout, "", "{exited:?}");
    let line = exited.stderr.strip_suffix('\n').unwrap_or_default();
    assert!(
        !line.contains('\n') && !line.contains("panicked"),
        "not one line: {:?}",
        exited.stderr
    );
    line.strip_prefix("ERROR extensionFixture.sh: ")
        .unwrap_or_else(|| panic!("unexpected line: {line}"))
}

#[test]
fn missing_platform_address_is_reported() {
    for start in [
        Start::new(FIXTURE),
        Start::new(FIXTURE).env("EXTENSION_API_ADDR", ""),
    ] {
        assert_eq!(
            failure(&start.run()),
            "EXTENSION_API_ADDR is not set; FunctionGraph sets it, and on your machine `cargo fg dev` does"
        );
    }
}

#[test]
fn invalid_settings_are_reported() {
    for (setting, value, line) in [
        (
            "EXTENSION_API_ADDR",
            "nowhere",
            "cannot read EXTENSION_API_ADDR from the environment: `nowhere` is not `host:port`; write an address such as `127.0.0.1:9001`",
        ),
        (
            "FG_EXTENSION_PORT",
            "8091",
            "cannot read FG_EXTENSION_PORT from the environment: `8091` is not a port from 8081 to 8090; write a port such as `8085`, or a list such as `extensionFixture.sh=8085,extensionOther.sh=8086`",
        ),
        (
            "FG_REGISTER_TIMEOUT",
            "soon",
            "cannot read FG_REGISTER_TIMEOUT from the environment: `soon` is not a duration from 1ms to 1h; write it as `500ms`, `10s` or `1m`",
        ),
        (
            "FG_SHUTDOWN_TIMEOUT",
            "2h",
            "cannot read FG_SHUTDOWN_TIMEOUT from the environment: `2h` is not a duration from 0s to 1h; write it as `500ms`, `10s` or `1m`",
        ),
        (
            "FG_LOG",
            "loud",
            "cannot read FG_LOG from the environment: `loud` is not a level; write `off`, `error`, `warn`, `info`, `debug` or `trace`",
        ),
    ] {
        let start = Start::new(FIXTURE)
            .env("EXTENSION_API_ADDR", "127.0.0.1:1")
            .env(setting, value);
        assert_eq!(failure(&start.run()), line);
    }
}

#[test]
fn settings_come_from_the_environment_then_from_user_data_then_from_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("my fixture");
    std::fs::copy(FIXTURE, &program).unwrap();
    let start = |more: &[(&str, &str)]| {
        let start = Start::new(program.to_str().unwrap()).env("EXTENSION_API_ADDR", "127.0.0.1:1");
        let all = more.iter();
        all.fold(start, |start, (name, value)| start.env(name, value))
    };
    let user_data = ("RUNTIME_USERDATA", r#"{"FG_LOG": "too loud"}"#);
    std::fs::write(directory.path().join("my fixture.env"), "FG_LOG=silent\n").unwrap();
    for (variables, source) in [
        (
            &[user_data, ("FG_LOG", "loud")][..],
            "the environment: `loud`",
        ),
        (&[user_data, ("FG_LOG", "")], "RUNTIME_USERDATA: `too loud`"),
        (&[("RUNTIME_USERDATA", "{}")], "my fixture.env: `silent`"),
    ] {
        let exited = start(variables).run();
        let expected = format!("cannot read FG_LOG from {source} is not a level; ");
        let line = failure(&exited);
        assert!(line.starts_with(&expected), "{line}");
    }

    let file = directory.path().join("my fixture.env");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let exited = start(&[]).run();
    let expected = format!(
        "cannot read {}: Is a directory (os error 21)",
        file.display()
    );
    assert_eq!(failure(&exited), expected);
}

#[test]
fn user_data_that_is_not_an_object_is_a_warning() {
    let platform = ScriptedPlatform::start([ScriptedResponse::status("403 Forbidden", "no")]);
    let exited = Start::new(FIXTURE)
        .with(&platform)
        .env("RUNTIME_USERDATA", "secret")
        .run();
    let warning = "WARN extensionFixture.sh: RUNTIME_USERDATA is not a JSON object, so no settings are read from it\n";
    assert!(exited.stderr.starts_with(warning), "{}", exited.stderr);
}

#[test]
fn too_few_file_descriptors_are_reported() {
    // tokio needs six, in addition to standard input, output and error.
    let with_limit = |limit| Start::by_script(FIXTURE, &format!("ulimit -n {limit}; exec \"$0\""));
    for limit in [6, 7, 8] {
        let exited = with_limit(limit).run();
        let line = failure(&exited);
        assert!(
            line.starts_with("cannot start the tokio runtime: ")
                && line.contains("Too many open files")
                && line.ends_with("; is the limit of open files (`ulimit -n`) too low?"),
            "{line}"
        );
    }
    let exited = with_limit(9).env("EXTENSION_API_ADDR", "127.0.0.1:1").run();
    let line = failure(&exited);
    assert!(
        line.starts_with("cannot read ")
            && line.ends_with("fixture.env: Too many open files (os error 24)"),
        "{line}"
    );
}

#[test]
fn port_in_use_is_reported_before_the_registration() {
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let start = Start::new(FIXTURE).with(&platform);
    let port = start.port();
    let _other_listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is leased");
    assert_eq!(
        failure(&start.run()),
        format!(
            "cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); \
             set FG_EXTENSION_PORT to a free port from 8081 to 8090, as in `extensionFixture.sh=<port>`"
        )
    );
    assert_eq!(platform.count(), 0, "it registered without listening");
}

#[test]
fn rejected_registration_is_reported_and_not_retried() {
    let rejection = golden("register-rejection.json").to_string();
    for (response, expected) in [
        (
            ScriptedResponse::status("200 OK", &rejection),
            "status 200: ExtensionNotFound: no script `extensionOther.sh` was booted",
        ),
        (
            ScriptedResponse::status("403 Forbidden", &rejection),
            "status 403: ExtensionNotFound: no script `extensionOther.sh` was booted",
        ),
        (
            ScriptedResponse::status(
                "400 Bad Request",
                r#"{"errorType":"A","errorMessage":"b\nc"}"#,
            ),
            r#"status 400: {"errorType":"A","errorMessage":"b\nc"}"#,
        ),
        (
            ScriptedResponse::status("404 Not Found", "no\r\nsuch page"),
            r"status 404: no\r\nsuch page",
        ),
        (ScriptedResponse::status("409 Conflict", ""), "status 409"),
        (ScriptedResponse::status("302 Found", ""), "status 302"),
        (ScriptedResponse::status("204 No Content", ""), "status 204"),
    ] {
        let platform = ScriptedPlatform::start([response]);
        let start = Start::new(FIXTURE).with(&platform);
        let remedy = if expected.starts_with("status 302") || expected.starts_with("status 204") {
            "expected status 200; check EXTENSION_API_ADDR"
        } else {
            "its start script must be `extension/extensionFixture.sh`, and its port must differ from those of other \
             extensions"
        };
        let expected = format!(
            "the platform at {} rejected the registration of extensionFixture.sh at 127.0.0.1:{} with {expected}; {remedy}",
            platform.address,
            start.port()
        );
        assert_eq!(failure(&start.run()), expected);
        assert_eq!(platform.count(), 1, "a rejection is final");
    }
}

#[test]
fn unreachable_platform_is_reported_after_several_attempts() {
    // A port that was just free and that nothing listens on.
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let start = Start::new(FIXTURE)
        .env("EXTENSION_API_ADDR", address.to_string())
        .env("FG_REGISTER_TIMEOUT", "2s");
    let exited = start.run();
    let line = failure(&exited);
    let beginning = format!("cannot register with the platform at {address} within 2s (");
    let end = " attempts): Connection refused (os error 111); \
               check EXTENSION_API_ADDR, or increase FG_REGISTER_TIMEOUT";
    let attempts = line
        .strip_prefix(&beginning)
        .and_then(|line| line.strip_suffix(end));
    let attempts: u32 = attempts
        .and_then(|attempts| attempts.parse().ok())
        .unwrap_or_else(|| panic!("{line}"));
    assert!(
        (3..=40).contains(&attempts),
        "{attempts} attempts in 2 s, with pauses of at least 50 ms"
    );
}

#[test]
fn registration_times_out() {
    for (response, cause) in [
        (ScriptedResponse::Silence, "no response in time"),
        // The body never ends. The extension does not wait for it, so that time remains for another attempt.
        (
            ScriptedResponse::RawOpen(
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 99\r\n\r\nlater".to_vec(),
            ),
            "the platform responded with status 502: later",
        ),
        (
            ScriptedResponse::status("503 Service Unavailable", "later"),
            "the platform responded with status 503: later",
        ),
    ] {
        let platform = ScriptedPlatform::start([response]);
        let exited = Start::new(FIXTURE)
            .with(&platform)
            .env("FG_REGISTER_TIMEOUT", "1.5")
            .run();
        let line = failure(&exited);
        assert!(line.contains(&format!(" attempts): {cause}; ")), "{line}");
        assert!(platform.count() > 1, "it did not retry");
    }
}
