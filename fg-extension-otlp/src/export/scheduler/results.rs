//! The results of requests: what they mean for the items and the counters, and what to log.

use super::{AfterRequest, Scheduler};
use crate::delivery::Delivery;
use crate::diagnostic::Diagnostic;
use crate::export::clock::FreezeAwareInstant;
use crate::export::counters::ItemCounts;
use crate::export::queue::Batch;
use crate::export::response::ExportResult;
use crate::export::signal_state::SignalState;
use crate::signal::Signal;

impl Scheduler {
    /// Records the result for a batch, and returns a line for the log if there is something to report.
    ///
    /// The caller must release the lock before it writes the line, which may come back as a log record to export.
    pub(in crate::export) fn record_result(
        &mut self,
        batch: Batch,
        result: ExportResult,
        now: FreezeAwareInstant,
    ) -> (AfterRequest, Option<Diagnostic>) {
        let signal = batch.signal();
        let is_outage = matches!(
            result,
            ExportResult::Retryable { .. } | ExportResult::Rejected { .. }
        );
        if batch.has_own_metrics() {
            self.own_metrics = Some(Delivery::Failed);
        }
        let mut after = AfterRequest::SendMore;
        let issue = match result {
            ExportResult::Accepted { rejected, message } => {
                self.record_accepted(batch, rejected, message)
            }
            ExportResult::Rejected { reason } => Some(self.record_rejected(batch, reason)),
            ExportResult::TooLarge { reason } => Some(self.record_too_large(batch, reason)),
            ExportResult::CompressionRejected { reason } => {
                // Not throttled, because this happens at most once for each signal.
                let line = self.record_compression_rejected(batch, &reason);
                return (after, Some(line));
            }
            ExportResult::Retryable {
                retry_after,
                reason,
            } => {
                after = AfterRequest::BackOff;
                let requested = self.requested_flush;
                let state = &mut self.signals[signal.index()];
                let pause = state.record_failure(retry_after, reason.clone(), requested, now);
                self.queue.requeue(batch);
                let (endpoint, pause) = (state.endpoint(), pause.as_millis());
                Some(format!(
                    "cannot send {signal} to {endpoint}: {reason}; retrying in {pause} ms"
                ))
            }
        };
        let state = &self.signals[signal.index()];
        let recovered = || {
            state
                .is_outage_logged
                .then(|| Diagnostic::Info(format!("{} accepts {signal} again", state.endpoint())))
        };
        let is_issue = issue.is_some();
        let line = issue.map(Diagnostic::Warning).or_else(recovered);
        let line = self.admit(line, now);
        if line.is_some() {
            let state = &mut self.signals[signal.index()];
            state.is_outage_logged = is_outage || (is_issue && state.is_outage_logged);
        }
        (after, line)
    }

    /// Records that the collector accepted a batch, except for `rejected` of its items.
    fn record_accepted(&mut self, batch: Batch, rejected: u64, message: String) -> Option<String> {
        let (signal, count) = (batch.signal(), batch.count());
        let state = &mut self.signals[signal.index()];
        state.record_accepted();
        let (endpoint, all) = (state.endpoint(), signal.count(count));
        let issue = if rejected > 0 {
            // A collector may report more than it received.
            let what = match count {
                0 => signal.count(rejected),
                _ => format!("{} of {all}", rejected.min(count)),
            };
            Some(format!("{endpoint} rejected {what}: {message}"))
        } else if !message.is_empty() {
            Some(format!(
                "{endpoint} accepted {all} with a warning: {message}"
            ))
        } else {
            None
        };
        // Received data points are counted first. Our own are part of the next total, unless they are changes.
        let own_rejected = rejected.saturating_sub(count).min(batch.delta_points);
        let rejected = rejected.min(count);
        if rejected + own_rejected > 0 {
            state.record_partly_rejected(message);
        }
        self.rejected.add(signal, own_rejected);
        self.rejected.add(signal, rejected);
        self.exported.add(signal, count - rejected);
        if batch.has_own_metrics() {
            self.own_metrics = Some(Delivery::Accepted);
            self.own_metrics_are_rejected = false;
        }
        self.queue.complete(batch);
        issue
    }

    /// Records that the collector rejected a batch permanently.
    fn record_rejected(&mut self, batch: Batch, reason: String) -> String {
        let (signal, all) = (batch.signal(), batch.signal().count(batch.count()));
        let state = &mut self.signals[signal.index()];
        let issue = format!("{} permanently rejected {all}: {reason}", state.endpoint());
        state.record_rejected(reason);
        self.rejected
            .add(signal, batch.count() + batch.delta_points);
        if batch.has_own_metrics() {
            self.own_metrics = Some(Delivery::Rejected);
            self.own_metrics_are_rejected = batch.delta_points == 0;
        }
        self.queue.complete(batch);
        issue
    }

    /// Records that a batch was too large: its parts are sent, or the batch is rejected if it has no parts.
    fn record_too_large(&mut self, batch: Batch, reason: String) -> String {
        let signal = batch.signal();
        let (all, bytes) = (signal.count(batch.count()), batch.encoded_bytes());
        match self.queue.split(batch) {
            Ok(()) => {
                let state = &mut self.signals[signal.index()];
                state.record_response();
                let endpoint = state.endpoint();
                format!(
                    "{endpoint} rejected a request with {all} of {bytes} bytes as too large: {reason}; \
                     sending smaller requests from now on"
                )
            }
            Err(batch) => {
                // The size of our own metrics is not known here.
                let reason = match bytes {
                    0 => reason,
                    _ => format!("{reason}; the request had {bytes} bytes"),
                };
                self.record_rejected(batch, reason)
            }
        }
    }

    /// Records that the collector rejected the compression of a batch, which is sent again without.
    fn record_compression_rejected(&mut self, batch: Batch, reason: &str) -> Diagnostic {
        let signal = batch.signal();
        self.queue.requeue(batch);
        let state = &mut self.signals[signal.index()];
        state.record_response();
        let endpoint = state.endpoint();
        Diagnostic::Warning(format!(
            "{endpoint} does not accept gzip: {reason}; {signal} are sent without compression from now on; \
             set OTEL_EXPORTER_OTLP_COMPRESSION=none"
        ))
    }

    /// Describes the data that the collector rejected permanently, and why. Returns `None` if it rejected none.
    pub(in crate::export) fn describe_rejected(&self) -> Option<String> {
        let what = describe(self.rejected, self.own_metrics_are_rejected);
        let parts = what.into_iter().map(|(signal, what)| {
            let state = &self.signals[signal.index()];
            let reason = state.last_rejection().filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or("no reason given");
            (format!("{what} by {}", state.endpoint()), reason)
        });
        let parts = group_by_reason(parts)?;
        let has_accepted = self.signals.iter().any(SignalState::has_accepted);
        let prefix = match has_accepted {
            true => "rejected",
            false => "nothing was exported; rejected",
        };
        Some(format!("{prefix}: {parts}"))
    }

    /// Describes the data that has not been exported, and why. Returns `None` if all data has been exported.
    pub(in crate::export) fn describe_outstanding(&self) -> Option<String> {
        let what = describe(
            self.queue.outstanding(),
            self.queue.has_outstanding_metrics(),
        );
        group_by_reason(what.into_iter().map(|(signal, what)| {
            let state = &self.signals[signal.index()];
            let reason = state.last_error().unwrap_or("no response in time");
            (format!("{what} to {}", state.endpoint()), reason)
        }))
    }
}

/// Describes the counts that are not zero.
fn describe(counts: ItemCounts, with_own_metrics: bool) -> Vec<(Signal, String)> {
    let items = |signal: Signal, count| (count > 0).then(|| (signal, signal.count(count)));
    let all = [
        items(Signal::Traces, counts.spans),
        items(Signal::Logs, counts.log_records),
        items(Signal::Metrics, counts.data_points),
        with_own_metrics.then(|| (Signal::Metrics, "the latest metrics".to_owned())),
    ];
    all.into_iter().flatten().collect()
}

/// Joins descriptions that are grouped by reason, each group followed by its reason. Returns `None` for an empty list.
fn group_by_reason<'a>(parts: impl Iterator<Item = (String, &'a str)>) -> Option<String> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (part, reason) in parts {
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, parts)) => parts.push(part),
            None => groups.push((reason, vec![part])),
        }
    }
    let groups = groups.iter();
    let groups = groups.map(|(reason, parts)| format!("{} ({reason})", parts.join(", ")));
    let groups: Vec<String> = groups.collect();
    (!groups.is_empty()).then(|| groups.join(", "))
}
