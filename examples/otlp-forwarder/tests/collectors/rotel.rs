//! rotel as the collector, which prints what it receives.

use std::net::SocketAddr;

use fg_emulator::Platform;
use serde_json::json;
use tokio::process::Command;

use crate::function::{Mode, boot_function};
use crate::program::Program;
use crate::{Result, derived_ids, extension, free_address, variable};

async fn start(address: SocketAddr) -> Result<Program> {
    let grpc = free_address().await?.to_string();
    let mut command = Command::new(variable("ROTEL_AGENT")?);
    command
        .args(["start", "--exporter", "blackhole"])
        .args(["--debug-log-verbosity", "detailed"])
        .args(["--debug-log", "traces"])
        .args(["--debug-log", "logs"])
        .args(["--debug-log", "metrics"])
        .args(["--otlp-http-endpoint", &address.to_string()])
        .args(["--otlp-grpc-endpoint", &grpc]);
    Program::start(&mut command, address).await
}

/// Boots the extension, and returns the address of its receiver.
async fn boot(platform: &Platform, collector: SocketAddr) -> Result<SocketAddr> {
    let receiver = free_address().await?;
    let extension = extension(collector, receiver)
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        )
        .env("OTEL_SERVICE_NAME", "shop");
    crate::boot(platform, extension).await?;
    Ok(receiver)
}

/// Invokes the function, and returns what the collector prints about each span.
async fn invoke(platform: &Platform, times: usize) -> Result<Vec<String>> {
    let mut spans = Vec::new();
    for _ in 0..times {
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        let id = invoked.trace_id.replace('-', "");
        spans.push(format!(
            "    Trace ID       : {id}\n    Parent ID      : \n"
        ));
    }
    platform.wait_for_telemetry().await;
    Ok(spans)
}

#[tokio::test]
#[ignore = "needs rotel: `cargo xtask collectors` installs it and runs this"]
async fn collector_receives_the_platform_telemetry() -> Result<()> {
    let address = free_address().await?;
    let mut rotel = start(address).await?;
    let platform = Platform::start().await?;
    boot(&platform, address).await?;
    platform.invoke().await?.assert_ok();
    let trace_id = "3da1f2dc-3222-475e-9205-e2e6c6318895";
    let batch = json!([
        {"name": "platform.start", "startTime": "2026-11-24T10:00:00.250Z", "traceId": trace_id},
        {
            "time": "2026-11-24T10:00:00.255Z", "type": "function",
            "record": format!("2026-11-24T10:00:00.254Z {trace_id} ERROR no stock left: ü"),
        },
        {
            "name": "platform.RuntimeDone", "startTime": "2026-11-24T10:00:00.250Z",
            "traceId": trace_id, "status": "error", "errorType": "OutOfMemory",
        },
        {
            "name": "platform.report", "startTime": "2026-11-24T10:00:00.250Z",
            "endTime": "2026-11-24T10:00:03.250Z", "traceId": trace_id,
            "metrics": {"durationMs": 3000.0, "maxMemoryUsedMB": 64},
        },
    ]);
    assert_eq!(platform.send_telemetry(batch.to_string()).await?, 200);

    let id = "3da1f2dc3222475e9205e2e6c6318895";
    rotel
        .wait_for(&[format!(
            "    Trace ID       : {id}\n    Parent ID      : \n    ID             : "
        )])
        .await?;
    let span = &rotel.printed[rotel
        .printed
        .find(&format!(": {id}\n    Parent ID"))
        .ok_or("rotel printed no span")?..];
    let (_, span_id) = span
        .split_once("    ID             : ")
        .ok_or("rotel printed no span ID")?;
    let (span_id, _) = span_id.split_once('\n').ok_or("rotel printed no span ID")?;
    let span_id = span_id.to_owned();
    assert_eq!(span_id.len(), 16, "{span_id}");
    let texts = [
        // The span and its status.
        format!(
            "    ID             : {span_id}\n    Name           : helloWorld\n    Kind           : SPAN_KIND_SERVER\n\
             Start time: 1795514400250000000\nEnd time: 1795514403250000000\n"
        ),
        format!("     -> faas.invocation_id: Str({trace_id})\n"),
        "     -> error.type: Str(OutOfMemory)\n".to_owned(),
        // The log record, with its own timestamp, correlated with the span.
        "Timestamp: 1795514400254000000\nSeverityText: ERROR\nSeverityNumber: SEVERITY_NUMBER_ERROR(17)\n\
         Body: Str(2026-11-24T10:00:00.254Z 3da1f2dc-3222-475e-9205-e2e6c6318895 ERROR no stock left: ü)\n"
            .to_owned(),
        format!("    Trace ID       : {id}\n    Span ID        : {span_id}\n"),
        // The resource.
        "     -> service.name: Str(shop)\n".to_owned(),
        "     -> deployment.environment.name: Str(test)\n".to_owned(),
        "     -> cloud.provider: Str(huawei_cloud)\n".to_owned(),
        "     -> faas.name: Str(helloWorld)\n".to_owned(),
    ];
    rotel.wait_for(&texts).await?;
    for (name, value) in [
        ("faas.errors", "Value: 1\n"),
        ("faas.invocations", "Value: 1\n"),
        ("faas.coldstarts", "Value: 1\n"),
        ("faas.invoke_duration", "Count: 1\nSum: 3\n"),
        ("faas.init_duration", "Count: 1\n"),
        ("faas.mem_usage", "Count: 1\nSum: 67108864\n"),
        ("faas.timeouts", "Value: 0\n"),
    ] {
        let name_line = format!("-> Name: {name}\n");
        let condition = |printed: &str| {
            let mut metrics = printed.split("Metric #");
            metrics.any(|metric| metric.contains(&name_line) && metric.contains(value))
        };
        rotel
            .wait_until(&format!("{name} {value}"), condition)
            .await?;
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
#[ignore = "needs rotel: `cargo xtask collectors` installs it and runs this"]
async fn late_and_restarted_collector_receives_everything() -> Result<()> {
    let address = free_address().await?;
    let platform = Platform::start().await?;
    boot(&platform, address).await?;
    let early = invoke(&platform, 3).await?;
    let mut rotel = start(address).await?;
    rotel.wait_for(&early).await?;
    let midway = invoke(&platform, 3).await?;
    rotel.wait_for(&midway).await?;
    rotel.kill().await?;
    let without = invoke(&platform, 3).await?;
    let mut rotel = start(address).await?;
    let after = invoke(&platform, 3).await?;
    rotel.wait_for(&without).await?;
    rotel.wait_for(&after).await?;
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
#[ignore = "needs rotel and the Python SDK: `cargo xtask collectors` installs them and runs this"]
async fn collector_receives_the_telemetry_of_a_function_with_an_sdk() -> Result<()> {
    let address = free_address().await?;
    let mut rotel = start(address).await?;
    let platform = Platform::start().await?;
    let receiver = boot(&platform, address).await?;
    let variables = [("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")];
    let _directory = boot_function(&platform, Mode::Recipe, receiver, &variables).await?;
    let invoked = platform.invoke().await?;
    invoked.assert_ok();
    let (trace_id, span_id) = derived_ids(&invoked.trace_id);
    let texts = [
        // The span of the function is a child of the invocation's.
        format!("    Trace ID       : {trace_id}\n    Parent ID      : {span_id}\n"),
        format!(
            "    Trace ID       : {trace_id}\n    Parent ID      : \n    ID             : {span_id}\n"
        ),
        "Body: Str(no stock left)\n".to_owned(),
        "-> Name: shop.orders\n".to_owned(),
    ];
    rotel.wait_for(&texts).await?;
    // The resource of the SDK has kept its attributes, and has those of the function.
    let resource = rotel
        .printed
        .split("Resource")
        .find(|it| it.contains("-> telemetry.sdk.language: Str(python)"));
    let resource = resource.ok_or("rotel printed no resource of the SDK")?;
    for attribute in [
        "-> faas.name: Str(helloWorld)\n",
        "-> cloud.provider: Str(huawei_cloud)\n",
        "-> cloud.region: Str(cn)\n",
        "-> service.name: Str(shop)\n",
    ] {
        assert!(
            resource.contains(attribute),
            "{attribute} is not in {resource}"
        );
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}
