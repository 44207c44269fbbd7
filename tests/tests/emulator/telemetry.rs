//! Tests of telemetry with a subscriber on plain sockets.

use fg_emulator::{ExtensionCommand, Platform, TelemetryType};
use fg_extension_tests::{golden, post};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::instance::{Instance, error_of};
use super::processes::TIMEOUT;

/// Removes a field with a time from the event, checks its format, and returns it.
fn time(event: &mut Value, field: &str) -> String {
    let time = event.as_object_mut().unwrap().remove(field);
    let time = time.unwrap().as_str().unwrap().to_owned();
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    time
}

/// Asserts that these are the three events of a phase. Checks the times and metrics, and compares the other fields.
fn assert_phase(events: &mut [Value], names: [&str; 3], trace_id: &str) {
    let [start, done, report] = events else {
        panic!("{events:?}")
    };
    let start_time = time(start, "startTime");
    assert_eq!(*start, json!({"name": names[0], "traceId": trace_id}));
    assert_eq!(time(done, "startTime"), start_time);
    assert_eq!(
        *done,
        json!({"name": names[1], "traceId": trace_id, "status": "success"})
    );
    assert_eq!(time(report, "startTime"), start_time);
    assert!(time(report, "endTime") >= start_time);
    let metrics = report.as_object_mut().unwrap().remove("metrics").unwrap();
    assert!(metrics["durationMs"].as_f64().unwrap() > 0.0, "{metrics}");
    let others = metrics.as_object().unwrap().keys();
    let others: Vec<_> = others.filter(|name| *name != "durationMs").collect();
    let expected: &[&str] = match names {
        INIT => &[],
        // The report of the first invocation contains the duration of the initialization.
        _ if metrics.get("initDurationMs").is_some() => {
            &["billedDurationMs", "initDurationMs", "memorySizeMB"]
        }
        _ => &["billedDurationMs", "memorySizeMB"],
    };
    assert_eq!(others, expected);
    assert_eq!(
        *report,
        json!({"name": names[2], "traceId": trace_id, "status": "success"})
    );
}

const INIT: [&str; 3] = [
    "platform.initStart",
    "platform.initRuntimeDone",
    "platform.initReport",
];
const INVOCATION: [&str; 3] = ["platform.start", "platform.RuntimeDone", "platform.report"];

#[tokio::test(flavor = "multi_thread")]
async fn each_invocation_emits_platform_events() {
    let instance = Instance::subscribed(&["platform"]).await;
    let subscription = instance.platform.wait_for_subscription().await.unwrap();
    assert_eq!(subscription.types, [TelemetryType::Platform]);

    let first = instance.platform.invoke().await.unwrap();
    let mut events = instance.events(6).await;
    assert_phase(&mut events[..3], INIT, &first.trace_id);
    assert_phase(&mut events[3..], INVOCATION, &first.trace_id);

    let second = instance.platform.invoke().await.unwrap();
    let mut events = instance.events(3).await;
    assert_phase(&mut events, INVOCATION, &second.trace_id);
    instance.platform.wait_for_telemetry().await;
    assert_eq!(
        instance.outcomes()[0],
        format!("subscribed http://127.0.0.1:{}", instance.port)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_of_the_function_are_between_platform_events() {
    let instance = Instance::subscribed(&["function", "platform"]).await;
    instance.platform.invoke().await.unwrap();
    let events = instance.events(8).await;
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["name"].as_str().or(event["type"].as_str()).unwrap())
        .collect();
    assert_eq!(kinds[..3], INIT);
    assert_eq!(
        kinds[3..],
        [
            INVOCATION[0],
            "function",
            "function",
            INVOCATION[1],
            INVOCATION[2]
        ]
    );

    let invoked = instance.platform.invoke().await.unwrap();
    let mut events = instance.events(5).await;
    let mut record = |i: usize| {
        let at = time(&mut events[i], "time");
        let record = events[i]["record"].as_str().unwrap().to_owned();
        assert_eq!(events[i], json!({"type": "function", "record": record}));
        record.strip_prefix(&at).unwrap().to_owned()
    };
    assert_eq!(
        record(1),
        format!(
            " Start invoke request '{}', version: latest",
            invoked.trace_id
        )
    );
    let finish = record(2);
    let begin = format!(" Finish invoke request '{}', duration: ", invoked.trace_id);
    let (duration, rest) = finish
        .strip_prefix(&begin)
        .unwrap()
        .split_once("ms, billing duration: ")
        .unwrap();
    let (billed, rest) = rest.split_once("ms").unwrap();
    let (duration, billed): (f64, f64) = (duration.parse().unwrap(), billed.parse().unwrap());
    assert!(billed >= duration && billed < duration + 1.0, "{finish}");
    assert_eq!(rest, ", memory used: 0.000MB, billing memory: 128MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn extension_lines_before_the_subscription_are_delivered() {
    let instance = Instance::start().await;
    let record = |mut events: Vec<Value>| {
        time(&mut events[0], "time");
        let record = events[0]["record"].as_str().unwrap().to_owned();
        assert_eq!(events, [json!({"type": "extension", "record": record})]);
        record
    };
    // It prints the response to its registration.
    let mut reports = instance.reports.clone();
    let printed =
        reports.wait_for(|reports| reports.iter().any(|line| line.starts_with("printed")));
    drop(timeout(TIMEOUT, printed).await.unwrap().unwrap());
    assert_eq!(instance.subscribe(&["extension"]).status, 200);
    let line = record(instance.events(1).await);
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        golden("register-response.json")
    );

    // It also prints each invoke event.
    let invoked = instance.platform.invoke().await.unwrap();
    let line = record(instance.events(1).await);
    assert!(
        line.starts_with("POST /extension/invoke HTTP/1.1 {") && line.contains(&invoked.trace_id),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_subscriptions_are_rejected_and_reported() {
    let platform = Platform::start().await.unwrap();
    let body = golden("telemetry-subscription.json").to_string();
    let response = post(platform.address().port(), "/telemetry", &body);
    assert_eq!(
        (response.status, error_of(&response).as_str()),
        (
            400,
            "no extension is registered; register before subscribing"
        )
    );
    assert_eq!(response.json()["errorInfo"]["errorType"], "NotRegistered");

    let instance = Instance::start().await;
    let rejected = |field: &str, value: Value| {
        let mut body = golden("telemetry-subscription.json");
        *body.pointer_mut(field).unwrap() = value;
        let port = instance.platform.address().port();
        let response = post(port, "/telemetry", body.to_string());
        assert_eq!(response.status, 400);
        error_of(&response)
    };
    for (field, value, message) in [
        (
            "/subscriber/protocol",
            json!("HTTP"),
            "unsupported protocol `HTTP`; use POST",
        ),
        (
            "/subscriber/uri",
            json!("http://127.0.0.1:9000"),
            "uri `http://127.0.0.1:9000` is not in the range of the platform; use http://127.0.0.1:8081 to \
             http://127.0.0.1:8090",
        ),
        ("/types", json!([]), "`types` is empty"),
        (
            "/types",
            json!(["platform", "platform"]),
            "type `platform` is listed twice",
        ),
    ] {
        assert_eq!(rejected(field, value), message);
        instance
            .wait_for_report(&format!("rejected: {message}"))
            .await;
    }
    assert!(rejected("/types", json!(["logs"])).starts_with("unknown type `logs`; "));
    let expected = "invalid subscription: the body must be a JSON object, not an array";
    assert_eq!(rejected("", json!([])), expected);

    // The rejected requests did not subscribe.
    assert_eq!(instance.subscribe(&["platform"]).status, 200);
    let response = instance.subscribe(&["function"]);
    assert_eq!(response.status, 400);
    assert_eq!(
        error_of(&response),
        format!(
            "http://127.0.0.1:{} is already subscribed to telemetry",
            instance.port
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_to_a_busy_subscriber_is_retried() {
    let instance = Instance::subscribed(&["function"]).await;
    instance.platform.invoke().await.unwrap();
    let first = instance.receive("503 Service Unavailable").await;
    drop(instance.accept().await);
    assert_eq!(instance.receive("202 Accepted").await, first);
    let start = "Start invoke request";
    assert_eq!(first.matches(start).count(), 1, "{first}");
    // Events emitted during the retries are in the next batch.
    if !first.contains("Finish") {
        let second = instance.receive("200 OK").await;
        assert!(!second.contains(start), "{second}");
    }
    instance.platform.wait_for_telemetry().await;
    let outcomes = instance.outcomes().split_off(1);
    assert!(
        ["1: 202", "2: 202"].contains(&outcomes[0].as_str()),
        "{outcomes:?}"
    );
    assert!(!outcomes.iter().any(|line| line.contains("lost")));
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_is_lost_after_five_attempts_or_a_client_error() {
    let instance = Instance::subscribed(&["extension"]).await;
    let uri = format!("http://127.0.0.1:{}", instance.port);
    // The batch contains the line that the extension printed after its registration.
    for _ in 0..5 {
        instance.receive("500 Internal Server Error").await;
    }
    instance
        .wait_for_report(&format!(
            "1 lost: {uri} responded with status 500 (attempt 5 of 5)"
        ))
        .await;
    // A client error is not retried.
    instance.platform.invoke().await.unwrap();
    instance.receive("413 Content Too Large").await;
    instance
        .wait_for_report(&format!("1 lost: {uri} responded with status 413"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_is_lost_without_a_listener() {
    // No process has ever listened on the port. Closing a listener is not enough: a process that another test is starting
    // inherits it until it executes its program, and the kernel keeps accepting connections.
    let instance = Instance::without_listener(|_| {}).await;
    let (platform, port) = (&instance.platform, instance.port);
    assert_eq!(instance.subscribe(&["extension"]).status, 200);
    // The batch contains the line that the extension printed after its registration.
    let lost = format!(
        "1 lost: cannot post telemetry to 127.0.0.1:{port}: Connection refused (os error 111) \
         (attempt 5 of 5)"
    );
    instance.wait_for_report(&lost).await;
    platform.wait_for_telemetry().await;
    let error = platform.send_telemetry("[]").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot post telemetry to 127.0.0.1:{port}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn arbitrary_bodies_are_posted_to_the_subscriber() {
    let instance = Instance::subscribed(&["function"]).await;
    for (body, status_line, status) in [
        ("[{", "400 Bad Request", 400),
        (r#"[{"name": " platform.novelty "}]"#, "200 OK", 200),
        ("", "500 Internal Server Error", 500),
    ] {
        let (sent, received) = tokio::join!(
            instance.platform.send_telemetry(body),
            instance.receive(status_line)
        );
        assert_eq!((sent.unwrap(), received.as_str()), (status, body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buffered_events_are_delivered_before_shutdown() {
    let mut instance = Instance::subscribed(&["function"]).await;
    instance.platform.invoke().await.unwrap();
    let platform = std::mem::replace(&mut instance.platform, Platform::start().await.unwrap());
    let shutdown = tokio::spawn(platform.shutdown());
    assert_eq!(instance.events(2).await.len(), 2);
    let shutdown = shutdown.await.unwrap().unwrap();
    assert!(shutdown.extensions[0].stdout().contains("POST"));
    let outcomes = instance.outcomes();
    assert!(
        !outcomes.iter().any(|line| line.contains("lost")),
        "{outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_subscriber_does_not_delay_shutdown() {
    let mut instance = Instance::subscribed(&["function"]).await;
    instance.platform.invoke().await.unwrap();
    let platform = std::mem::replace(&mut instance.platform, Platform::start().await.unwrap());
    let (_stream, _) = instance.accept().await;
    timeout(TIMEOUT, platform.shutdown())
        .await
        .unwrap()
        .unwrap();
    instance
        .wait_for_report("2 lost: the instance was shut down before delivery")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_telemetry_extensions_boot_in_parallel() {
    let mut platforms = tokio::task::JoinSet::new();
    // Twelve platforms lease two ports and six lease one, but there are only ten ports.
    for i in 0..18 {
        platforms.spawn(async move {
            let platform = Platform::start().await?;
            let boot = ExtensionCommand::new("extensionForeign.sh", env!("CARGO_BIN_EXE_foreign"));
            if i % 3 == 0 {
                platform.boot(boot.lease_port()).await?;
                return platform.shutdown().await;
            }
            platform
                .boot(boot.lease_port().lease_telemetry_port())
                .await?;
            platform.wait_for_subscription().await?;
            let invoked = platform.invoke().await?;
            platform.wait_for_telemetry().await;
            let shutdown = platform.shutdown().await?;
            let telemetry = shutdown.extensions[0].stderr();
            assert_eq!(
                telemetry.matches(&invoked.trace_id).count(),
                8,
                "{telemetry}"
            );
            Ok::<_, fg_emulator::Error>(shutdown)
        });
    }
    while let Some(result) = platforms.join_next().await {
        result.unwrap().unwrap();
    }
}
