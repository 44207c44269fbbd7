//! Boots the extension in a local FunctionGraph that runs out of threads, freezes, and posts large telemetry.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod collector;
#[allow(dead_code, reason = "the other tests use the rest")]
mod sdk;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use collector::{Collector, reserve_address};
use fg_emulator::{Error, Event, ExtensionCommand, Platform};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const SCRIPT: &str = "extensionOtlpForwarder.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_otlp-forwarder");

/// 16 MB, and twice the default of `FG_TELEMETRY_BUFFER` and of `FG_OTLP_BUFFER`.
const MEMORY_LIMIT_KB: u64 = 16_000 + 2 * (4096 + 4096);

/// How long to wait before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Sets the collector, and leases ports.
fn with_collector(
    command: ExtensionCommand,
    host: &str,
    collector: SocketAddr,
) -> ExtensionCommand {
    let endpoint = format!("http://{host}:{}", collector.port());
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        // The tests run at the same time.
        .env("FG_OTLP_RECEIVER", "off")
        .env("FG_OTLP_FLUSH", "end")
        .lease_port()
        .lease_telemetry_port()
}

async fn post_line(platform: &Platform, line: &str) -> Result<(), Error> {
    let body = json!([{"type": "function", "record": line}]).to_string();
    let post = async {
        // Retry if the buffer is full, as the platform may do.
        while platform.send_telemetry(body.clone()).await? == 503 {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    timeout(TEST_TIMEOUT, post)
        .await
        .expect("there is room in the buffer")
}

/// Waits until the collector has received a log record with this text, and returns how often it has.
async fn wait_for_line(collector: &Collector, line: &str) -> usize {
    let has_line = |received: &collector::Received| count(received, line) > 0;
    let received = collector.wait_for(line, has_line).await;
    count(&received, line)
}

fn count(received: &collector::Received, line: &str) -> usize {
    let bodies = received.logs.iter().filter_map(|log| log.body.as_ref());
    let has_line = |body: &&AnyValue| match &body.value {
        Some(Value::StringValue(text)) => text.contains(line),
        _ => false,
    };
    bodies.filter(has_line).count()
}

/// Runs a tool.
fn run(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn export_resumes_when_threads_can_be_started_again() -> Result<(), Error> {
    /// The ID of a user and a group without other processes.
    const USER: u32 = 54_321;
    let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
    // The limit does not apply to root, and any other user has other processes already, so no further one can start.
    let is_root = run("sh", &["-c", "test $(id -u) = 0"]);
    let as_user: &[&str] = match is_root {
        true => &["setpriv", &user, &group, "--clear-groups"],
        false => &["env"],
    };
    let run_as_user = |arguments: &[&str]| run(as_user[0], &[&as_user[1..], arguments].concat());
    if !run_as_user(&["prlimit", "--version"]) {
        // Unlike `eprintln!`, this is not captured by the test harness.
        let skipped = b"SKIPPED export_resumes_when_threads_can_be_started_again: the tools setpriv and prlimit are \
            missing; install util-linux\n";
        std::io::stderr().write_all(skipped).unwrap();
        return Ok(());
    }
    // The user may not be allowed to read the directory that cargo builds to.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode).unwrap();
    let program = directory.path().join("otlp-forwarder");
    let program = program.to_str().unwrap();
    // Copied by a child process: if this process wrote it, executing it could fail (ETXTBSY).
    assert!(run("cp", &[PROGRAM, program]));

    // Nothing listens there, so that no connection is open when the threads run out.
    let (socket, address) = reserve_address();
    let printed = watch::Sender::new(String::new());
    let mut output = printed.subscribe();
    let observer = move |event: &Event| {
        if let Event::Output(line) = event {
            printed.send_modify(|all| writeln!(all, "{}", line.text).unwrap());
        }
    };
    let platform = Platform::builder().observer(observer).start().await?;
    let mut command = ExtensionCommand::new(SCRIPT, as_user[0]);
    for argument in &as_user[1..] {
        command = command.arg(*argument);
    }
    let command = with_collector(command.arg(program), "localhost", address);
    let pid = platform.boot(command).await?.pid.unwrap();
    platform.wait_for_subscription().await?;
    let limit = |threads: &str| {
        let limits = [&format!("--pid={pid}"), &format!("--nproc={threads}:")];
        assert!(run_as_user(&["prlimit", limits[0], limits[1]]));
    };

    limit("1");
    post_line(&platform, "without threads").await?;
    let failed = |printed: &String| printed.contains("cannot start a thread");
    let waited = timeout(TEST_TIMEOUT, output.wait_for(failed)).await;
    drop(waited.expect("the export fails").unwrap());
    limit("4096");
    let collector = Collector::start_late(socket);
    assert_eq!(wait_for_line(&collector, "without threads").await, 1);

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    // Each failure is one line.
    let printed = shutdown.extensions[0].stderr();
    for line in printed.lines() {
        assert!(
            line.contains(SCRIPT) && !line.contains("panicked"),
            "{printed}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn freeze_does_not_use_up_the_time_for_a_response() -> Result<(), Error> {
    let collector = Collector::start_slow(Duration::from_secs(3)).await;
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM);
    let command = with_collector(command, "127.0.0.1", collector.address)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
    platform.boot(command).await?;
    platform.wait_for_subscription().await?;
    post_line(&platform, "before the freeze").await?;
    collector.wait_for_request("/v1/logs").await;
    platform.freeze();
    collector.end_delay();
    // The timeout passes in the freeze, and the response arrives soon after it.
    sleep(Duration::from_millis(2900)).await;
    platform.thaw();
    post_line(&platform, "after the thaw").await?;
    wait_for_line(&collector, "after the thaw").await;
    assert_eq!(wait_for_line(&collector, "before the freeze").await, 1);
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    // There is no warning about a response that did not arrive in time.
    assert_eq!(shutdown.extensions[0].stderr(), "");
    Ok(())
}

#[tokio::test]
async fn memory_is_bounded() -> Result<(), Error> {
    const BYTES: usize = 5_000_000;
    let item = json!({"id": 1, "name": "an item", "tags": ["a", "b"], "price": 12.5}).to_string();
    let array = |item: &str| {
        format!(
            "[{item}{}]",
            format!(",{item}").repeat(BYTES / (item.len() + 1))
        )
    };
    let many_fields: String = (0..BYTES / 12).map(|i| format!(",\"{i:07}\":0")).collect();
    let quoted = serde_json::to_string(&format!("{{\"items\":{}}}", array("{}"))).unwrap();
    let bodies = [
        (
            "objects in a record",
            format!("[{{\"type\":\"function\",\"record\":{}}}]", array(&item)),
        ),
        (
            "small objects in a record",
            format!(
                "[{{\"type\":\"function\",\"record\":{}}}]",
                array("{\"\":0}")
            ),
        ),
        (
            "JSON in a record",
            format!("[{{\"type\":\"function\",\"record\":{quoted}}}]"),
        ),
        (
            "a text in a record",
            format!(
                "[{{\"type\":\"function\",\"record\":\"{}\"}}]",
                "x".repeat(BYTES)
            ),
        ),
        (
            "fields of a log",
            format!("[{{\"type\":\"function\",\"record\":\"a\"{many_fields}}}]"),
        ),
        (
            "fields of a platform event",
            format!("[{{\"name\":\"platform.start\",\"traceId\":\"1\"{many_fields}}}]"),
        ),
        (
            "fields of an unknown event",
            format!("[{{\"a\":\"a\"{many_fields}}}]"),
        ),
        (
            "open spans with many small objects",
            (0..300)
                .map(|id| {
                    let data = "{\"\":0},".repeat(570);
                    format!("{{\"name\":\"platform.start\",\"traceId\":\"{id}\",\"a\":[{data}0]}},")
                })
                .fold("[".to_owned(), |all, event| all + &event)
                + "0]",
        ),
        (
            "many small logs",
            array(r#"{"type":"function","record":{"a":[{}]}}"#),
        ),
    ];
    for (name, body) in bodies {
        let collector = Collector::start().await;
        let platform = Platform::start().await?;
        let command = ExtensionCommand::new(SCRIPT, PROGRAM);
        let command = with_collector(command, "127.0.0.1", collector.address);
        let pid = platform.boot(command).await?.pid.unwrap();
        platform.wait_for_subscription().await?;
        assert_eq!(platform.send_telemetry(body).await?, 200, "{name}");
        post_line(&platform, "after it").await?;
        println!("{name}");
        wait_for_line(&collector, "after it").await;
        let peak = peak_memory_kb(pid);
        println!("{name}: {peak} KB");
        assert!(peak <= MEMORY_LIMIT_KB, "{name}: {peak} KB");
        platform.shutdown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn memory_is_bounded_while_the_collector_does_not_respond() -> Result<(), Error> {
    const HOUR: Duration = Duration::from_secs(3600);
    let collector = Collector::start_slow(HOUR).await;
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM);
    let command = with_collector(command, "127.0.0.1", collector.address)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000");
    let pid = platform.boot(command).await?.pid.unwrap();
    platform.wait_for_subscription().await?;
    let line = |number| json!({"type": "function", "record": format!("{number:0200}")});
    let body = json!((0..20_000).map(line).collect::<Vec<_>>()).to_string();
    let fill = async {
        // Until all buffers are full.
        while platform.send_telemetry(body.clone()).await? != 503 {}
        Ok::<_, Error>(())
    };
    timeout(TEST_TIMEOUT, fill)
        .await
        .expect("there is back pressure")?;
    let peak = peak_memory_kb(pid);
    assert!(peak <= MEMORY_LIMIT_KB, "{peak} KB");
    let shutdown = platform.shutdown().await?;
    // What is lost is reported.
    let printed = shutdown.extensions[0].stderr();
    assert!(printed.contains(" log records to http://"), "{printed}");
    assert!(!shutdown.is_clean());
    Ok(())
}

#[tokio::test]
async fn memory_is_bounded_while_the_function_sends_much() -> Result<(), Error> {
    const HOUR: Duration = Duration::from_secs(3600);
    let collector = Collector::start_slow(HOUR).await;
    let receiver = sdk::free_address().await;
    let platform = Platform::start().await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM);
    let command = with_collector(command, "127.0.0.1", collector.address)
        .env("FG_OTLP_RECEIVER", receiver.to_string())
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000");
    let pid = platform.boot(command).await?.pid.unwrap();
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    let span = |attributes: usize| Span {
        attributes: vec![KeyValue::default(); attributes],
        ..sdk::span("n", [1; 16], 1, None)
    };
    // Larger in memory than a request may be, nearly as large as it may be there, and many spans.
    let bomb = sdk::encode_spans(vec![span(400_000)]);
    let large = sdk::encode_spans(vec![span(80_000)]);
    let many = sdk::encode_spans(vec![span(0); 20_000]);
    let mut statuses = Vec::new();
    for body in [&bomb, &large, &many, &many] {
        let post = || sdk::post(receiver, "/v1/traces", body.clone());
        let (a, b, c, d) = tokio::join!(post(), post(), post(), post());
        statuses.push([a, b, c, d]);
    }
    assert!(statuses[0].contains(&413), "{statuses:?}");
    assert!(statuses[1].contains(&200), "{statuses:?}");
    assert!(statuses[2..].concat().contains(&503), "{statuses:?}");
    let peak = peak_memory_kb(pid);
    println!("{peak} KB: {statuses:?}");
    // What is decoded takes up to 16 MiB, one request at a time.
    assert!(peak <= MEMORY_LIMIT_KB + 16_384, "{peak} KB");
    platform.shutdown().await?;
    Ok(())
}

fn peak_memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}
