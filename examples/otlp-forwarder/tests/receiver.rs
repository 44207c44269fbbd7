//! Boots the extension in a local FunctionGraph, and sends the function's own telemetry to its receiver.

#[allow(dead_code, reason = "the other tests use the rest")]
mod collector;
mod sdk;

use std::net::SocketAddr;
use std::time::Duration;

use collector::{Collector, Received, reserve_address};
use fg_emulator::{Error, ExtensionCommand, InvokeRequest, Platform};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use sdk::{free_address, post_counter, post_logs, post_spans, span, text};
use tokio::net::TcpListener;
use tokio::time::sleep;

const SCRIPT: &str = "extensionOtlpForwarder.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_otlp-forwarder");

/// The function's own trace.
const TRACE: [u8; 16] = *b"the own trace ID";

/// Creates a command with the settings of the guide: the SDK's endpoint is the receiver, and the forwarder's own setting
/// names the collector.
fn boot(collector: SocketAddr, receiver: SocketAddr) -> ExtensionCommand {
    ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{receiver}"))
        .env("FG_OTLP_ENDPOINT", format!("http://{collector}"))
        .env("FG_OTLP_RECEIVER", receiver.to_string())
        .env("FG_OTLP_FLUSH", "end")
        .lease_port()
        .lease_telemetry_port()
}

fn has_span(name: &str) -> impl Fn(&Received) -> bool {
    move |received| received.spans.iter().any(|span| span.name == name)
}

fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().expect("the span has arrived");
    assert!(found.next().is_none(), "{name} has arrived twice");
    span
}

/// Returns the value of an attribute.
fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(value) => Some(value.clone()),
        other => Some(format!("{other:?}")),
    }
}

/// Asserts that a resource of the function has kept its attributes, and has those of the forwarder.
fn assert_complete(resource: Option<&Resource>, own: Option<&Resource>) {
    let resource = &resource.expect("a resource").attributes;
    let own = &own.expect("a resource").attributes;
    let language = attribute(resource, "telemetry.sdk.language");
    assert_eq!(language.as_deref(), Some("python"));
    for key in [
        "service.name",
        "faas.name",
        "faas.instance",
        "cloud.region",
        "cloud.provider",
    ] {
        let value = attribute(resource, key);
        assert_eq!(value, attribute(own, key), "{key}");
        assert!(value.is_some(), "{key}");
    }
}

#[tokio::test]
async fn telemetry_of_the_function_is_part_of_the_trace() -> Result<(), Error> {
    let (collector, receiver) = (Collector::start().await, free_address().await);
    let platform = Platform::start().await?;
    platform.boot(boot(collector.address, receiver)).await?;
    platform.wait_for_subscription().await?;

    let id = "3da1f2dc-3222-475e-9205-e2e6c6318895";
    let request = InvokeRequest::new()
        .trace_id(id)
        .log("the function runs")
        .duration(Duration::from_secs(3));
    let function = async {
        // The extension has read this line, so it knows the invocation.
        let runs = |received: &Received| {
            let mut logs = received.logs.iter();
            logs.any(|log| format!("{:?}", log.body).contains("the function runs"))
        };
        collector.wait_for("the line", runs).await;
        let spans = vec![
            span("query", TRACE, 2, Some(1)),
            span("handler", TRACE, 1, None),
        ];
        assert_eq!(post_spans(receiver, spans).await, 200);
        let log = |body: &str, trace_id: &[u8]| LogRecord {
            time_unix_nano: sdk::now(),
            body: text(body),
            trace_id: trace_id.to_vec(),
            ..LogRecord::default()
        };
        let logs = vec![log("with a trace", &TRACE), log("without a trace", &[])];
        assert_eq!(post_logs(receiver, logs).await, 200);
        assert_eq!(post_counter(receiver, "orders", 3).await, 200);
    };
    let (invoked, ()) = tokio::join!(platform.invoke_with(request), function);
    invoked?.assert_ok();
    platform.wait_for_telemetry().await;
    let received = collector
        .wait_for("the trace", |received| {
            let metrics = received.resource_metrics.iter();
            let mut metrics = metrics
                .flat_map(|it| &it.scope_metrics)
                .flat_map(|it| &it.metrics);
            has_span("helloWorld")(received)
                && has_span("handler")(received)
                && received
                    .logs
                    .iter()
                    .any(|log| log.body == text("without a trace"))
                && metrics.any(|metric| metric.name == "orders")
        })
        .await;

    // The invocation's span is the parent of the function's, in its trace.
    let invocation = find(&received.spans, "helloWorld");
    assert_eq!(invocation.trace_id, TRACE);
    let derived = u64::from_str_radix(&id.replace('-', "")[16..], 16).expect("hexadecimal");
    assert_eq!(invocation.span_id, derived.to_be_bytes());
    let handler = find(&received.spans, "handler");
    assert_eq!(handler.parent_span_id, invocation.span_id);
    assert_eq!(
        find(&received.spans, "query").parent_span_id,
        handler.span_id
    );
    for body in ["with a trace", "without a trace"] {
        let mut logs = received.logs.iter();
        let log = logs
            .find(|log| log.body == text(body))
            .expect("the log record");
        assert_eq!(log.trace_id, TRACE, "{body}");
        let invocation = attribute(&log.attributes, "faas.invocation_id");
        assert_eq!(invocation.as_deref(), Some(id), "{body}");
    }

    let mut resources = received.resource_spans.iter();
    let with = |name: &'static str| {
        move |it: &&opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
            let mut spans = it.scope_spans.iter().flat_map(|it| &it.spans);
            spans.any(|span| span.name == name)
        }
    };
    let own = resources
        .clone()
        .find(with("helloWorld"))
        .expect("our own span");
    let own = own.resource.as_ref();
    let spans = resources.find(with("handler")).expect("the span");
    assert_complete(spans.resource.as_ref(), own);
    let mut logs = received.resource_logs.iter();
    let logs = logs.find(|it| {
        let mut logs = it.scope_logs.iter().flat_map(|it| &it.log_records);
        logs.any(|log| log.body == text("with a trace"))
    });
    assert_complete(logs.expect("the log records").resource.as_ref(), own);
    let mut metrics = received.resource_metrics.iter();
    let metrics = metrics.find(|it| {
        let mut metrics = it.scope_metrics.iter().flat_map(|it| &it.metrics);
        metrics.any(|metric| metric.name == "orders")
    });
    assert_complete(metrics.expect("the metric").resource.as_ref(), own);

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert_eq!(shutdown.extensions[0].stderr(), "");
    Ok(())
}

#[tokio::test]
async fn received_data_survives_a_bad_day() -> Result<(), Error> {
    let (socket, address) = reserve_address();
    let receiver = free_address().await;
    let platform = Platform::start().await?;
    platform.boot(boot(address, receiver)).await?;
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    // The collector is down.
    assert_eq!(
        post_spans(receiver, vec![span("a", TRACE, 1, None)]).await,
        200
    );
    platform.freeze();
    sleep(Duration::from_millis(300)).await;
    platform.thaw();
    assert_eq!(
        post_spans(receiver, vec![span("b", TRACE, 2, None)]).await,
        200
    );
    let collector = Collector::start_late(socket);
    collector.wait_for("a", has_span("a")).await;
    collector.wait_for("b", has_span("b")).await;
    // It restarts.
    let address = collector.address;
    drop(collector);
    assert_eq!(
        post_spans(receiver, vec![span("c", TRACE, 3, None)]).await,
        200
    );
    let collector = Collector::start_again(address).await;
    let received = collector.wait_for("c", has_span("c")).await;
    find(&received.spans, "c");
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn shutdown_sends_what_was_received() -> Result<(), Error> {
    let (collector, receiver) = (Collector::start().await, free_address().await);
    let platform = Platform::start().await?;
    let boot = boot(collector.address, receiver)
        .env("FG_OTLP_FLUSH", "periodic")
        .env("FG_OTLP_FLUSH_INTERVAL", "1h");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    assert_eq!(
        post_spans(receiver, vec![span("last", TRACE, 1, None)]).await,
        200
    );
    assert_eq!(post_counter(receiver, "orders", 1).await, 200);
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let received = collector.wait_for("the span", has_span("last")).await;
    find(&received.spans, "last");
    let metrics = received
        .resource_metrics
        .iter()
        .flat_map(|it| &it.scope_metrics);
    let mut metrics = metrics.flat_map(|it| &it.metrics);
    assert!(metrics.any(|metric| metric.name == "orders"));
    Ok(())
}

#[tokio::test]
async fn without_a_collector_there_is_one_line_and_no_loop() -> Result<(), Error> {
    for is_set in [false, true] {
        let receiver = free_address().await;
        let platform = Platform::start().await?;
        // Without a setting, the endpoint is http://localhost:4318, where a collector may listen on this machine.
        let endpoint = format!("http://localhost:{}", receiver.port());
        let mut boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("FG_OTLP_FLUSH", "end");
        boot = match is_set {
            true => boot
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
                .env("FG_OTLP_RECEIVER", receiver.to_string()),
            false => boot
                .env("FG_OTLP_ENDPOINT", endpoint)
                .env("FG_OTLP_RECEIVER", receiver.to_string()),
        };
        platform
            .boot(boot.lease_port().lease_telemetry_port())
            .await?;
        platform.wait_for_subscription().await?;
        assert_eq!(
            post_spans(receiver, vec![span("a", TRACE, 1, None)]).await,
            200
        );
        platform.invoke().await?.assert_ok();
        platform.wait_for_telemetry().await;
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{shutdown:?}");
        assert_eq!(
            shutdown.extensions[0].stderr(),
            format!(
                "ERROR {SCRIPT}: the export endpoint is the receiver of this extension at {receiver}, \
                 so no data is exported; set FG_OTLP_ENDPOINT to the URL of your collector\n"
            )
        );
    }
    Ok(())
}

#[tokio::test]
async fn receiver_whose_port_is_taken_is_one_line() -> Result<(), Error> {
    let collector = Collector::start().await;
    // A collector at the receiver's address, such as on a developer's machine. It is the endpoint, too.
    let platform = Platform::start().await?;
    platform
        .boot(boot(collector.address, collector.address))
        .await?;
    platform.wait_for_subscription().await?;
    platform.invoke().await?.assert_ok();
    platform.wait_for_telemetry().await;
    collector.wait_for("the span", has_span("helloWorld")).await;
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let printed = shutdown.extensions[0].stderr();
    let start = format!(
        "WARN {SCRIPT}: cannot receive the function's own telemetry at {}: ",
        collector.address
    );
    assert!(printed.trim_start().starts_with(&start), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    Ok(())
}

#[tokio::test]
async fn invalid_receiver_address_is_an_error() -> Result<(), Error> {
    for address in ["0.0.0.0:4318", "127.0.0.1", "127.0.0.1:0", "collector:4318"] {
        let platform = Platform::start().await?;
        let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("FG_OTLP_RECEIVER", address);
        platform
            .boot(boot.lease_port().lease_telemetry_port())
            .await?;
        platform.wait_for_exit().await;
        let shutdown = platform.shutdown().await?;
        let printed = shutdown.extensions[0].stderr();
        let problem = format!(
            "cannot read FG_OTLP_RECEIVER from the environment: `{address}` is not a loopback address with a port; \
             write `off`, or an address such as `127.0.0.1:4318`"
        );
        assert!(printed.contains(&problem), "{printed}");
    }
    Ok(())
}

#[tokio::test]
async fn receiver_that_is_off_does_not_listen() -> Result<(), Error> {
    let (collector, receiver) = (Collector::start().await, free_address().await);
    let platform = Platform::start().await?;
    let boot = boot(collector.address, receiver).env("FG_OTLP_RECEIVER", "OFF");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    // Nothing else listens there.
    assert!(TcpListener::bind(receiver).await.is_ok());
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}
