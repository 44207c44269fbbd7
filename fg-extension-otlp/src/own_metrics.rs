//! The metrics about the forwarder itself (`FG_OTLP_OWN_METRICS`).

use fg_extension::TelemetryCounters;

use crate::export::ExportCounters;
use crate::translate::Observation;

/// Reads the counters of the subscription, if there are any yet, and of the exporter.
pub(crate) fn own_metrics(
    telemetry: Option<&TelemetryCounters>,
    export: &ExportCounters,
) -> Vec<Observation> {
    let counter = |name, unit, description, value| Observation {
        name,
        unit,
        description,
        value,
        is_counter: true,
    };
    let subscription = telemetry.map(|telemetry| {
        [
            counter(
                "functiongraph.telemetry.received",
                "{event}",
                "Telemetry events that were acknowledged to the platform.",
                telemetry.received(),
            ),
            counter(
                "functiongraph.telemetry.delivered",
                "{event}",
                "Telemetry events that were delivered to the extension.",
                telemetry.delivered(),
            ),
            counter(
                "functiongraph.telemetry.rejected",
                "{batch}",
                "Telemetry batches that were rejected because the buffer was full.",
                telemetry.rejected(),
            ),
            counter(
                "functiongraph.telemetry.lost",
                "{event}",
                "Telemetry events that were acknowledged but not delivered.",
                telemetry.lost(),
            ),
            Observation {
                is_counter: false,
                ..counter(
                    "functiongraph.telemetry.queued",
                    "By",
                    "Telemetry that is buffered for the extension.",
                    telemetry.bytes_queued(),
                )
            },
        ]
    });
    let ExportCounters {
        exported,
        dropped,
        rejected,
        queued_bytes: _,
    } = export;
    let spans = |name, description, value| counter(name, "{span}", description, value);
    let log_records = |name, description, value| counter(name, "{log_record}", description, value);
    let exporter = [
        spans(
            "functiongraph.otlp.exported.spans",
            "Spans that the collector accepted.",
            exported.spans,
        ),
        spans(
            "functiongraph.otlp.dropped.spans",
            "Spans that were dropped because the buffer was full.",
            dropped.spans,
        ),
        spans(
            "functiongraph.otlp.rejected.spans",
            "Spans that the collector rejected permanently.",
            rejected.spans,
        ),
        log_records(
            "functiongraph.otlp.exported.log_records",
            "Log records that the collector accepted.",
            exported.log_records,
        ),
        log_records(
            "functiongraph.otlp.dropped.log_records",
            "Log records that were dropped because the buffer was full.",
            dropped.log_records,
        ),
        log_records(
            "functiongraph.otlp.rejected.log_records",
            "Log records that the collector rejected permanently.",
            rejected.log_records,
        ),
    ];
    subscription.into_iter().flatten().chain(exporter).collect()
}
