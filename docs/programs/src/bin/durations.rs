//! Prints how long each invocation took, as the platform reports it.

use fg_extension::{PlatformEventKind, TelemetryEvent, extension};

#[derive(Default)]
struct Durations;

#[extension(name = "extensionDurations.sh", port = 8088)]
impl Durations {
    #[telemetry(port = 8089, types(platform))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) {
        for event in &events {
            if let Some(line) = duration(event) {
                println!("{line}");
            }
        }
    }
}

/// Returns `None` for every event that is not the report of an invocation.
fn duration(event: &TelemetryEvent) -> Option<String> {
    match event {
        TelemetryEvent::Platform(report) if report.kind() == PlatformEventKind::Report => {
            let trace_id = report.trace_id()?;
            let milliseconds = report.metrics()?.duration_ms()?;
            Some(format!("{trace_id} took {milliseconds:.1} ms"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_report_has_a_duration() -> Result<(), serde_json::Error> {
        let events: Vec<TelemetryEvent> = serde_json::from_str(
            r#"[
                {"name": "platform.start", "startTime": "2026-11-27T14:25:20.936Z", "traceId": "1"},
                {"name": "platform.report", "traceId": "1", "metrics": {"durationMs": 12.52}},
                {"type": "function", "record": "no stock left"}
            ]"#,
        )?;
        let lines: Vec<_> = events.iter().filter_map(duration).collect();
        assert_eq!(lines, ["1 took 12.5 ms"]);
        Ok(())
    }
}
