//! Correlates log records: those that the function's own SDK exports, and lines that name a trace of the function.

use std::time::SystemTime;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};

use super::ids::{add_invocation_id, id, invocation_id, time};
use crate::translate::Translator;
use crate::translate::ids::TraceId;
use crate::translate::spans::{FunctionTrace, SpanKey};

impl Translator {
    /// Adds the ID of the invocation to log records that the function exports, and the IDs of the invocation's span
    /// where a record has no trace.
    pub(crate) fn correlate_log_records(
        &mut self,
        resource_logs: &mut [ResourceLogs],
        now: SystemTime,
    ) {
        let scopes = resource_logs.iter_mut().flat_map(|it| &mut it.scope_logs);
        for log in scopes.flat_map(|it| &mut it.log_records) {
            let time = time(log.time_unix_nano)
                .or_else(|| time(log.observed_time_unix_nano))
                .unwrap_or(now);
            let trace_id = id(&log.trace_id);
            let Some(key) = self.invocation_of_record(log, trace_id, time) else {
                continue;
            };
            match trace_id {
                Some(trace_id) => self.join_named_trace(key, trace_id, log),
                None => {
                    let context = self.spans.context(key);
                    (log.trace_id, log.span_id) = (context.trace_id, context.span_id);
                }
            }
            add_invocation_id(&mut log.attributes, self.spans.request_id(key));
        }
    }

    /// Binds a log record with the derived IDs of an invocation to the span of its run, in the trace that it has
    /// joined.
    pub(in crate::translate) fn bind(&self, log: &mut LogRecord) {
        let Some(trace) = id(&log.trace_id).map(TraceId::from_array) else {
            return;
        };
        let is_derived = log.span_id == trace.root_span_id();
        if let Some(key) = self.spans.invocation(trace, time(log.time_unix_nano))
            && is_derived
        {
            let context = self.spans.context(key);
            (log.trace_id, log.span_id) = (context.trace_id, context.span_id);
        }
    }

    /// Joins the invocation of a line of the function with the trace that the line names.
    pub(in crate::translate) fn join_trace_of_line(&mut self, log: &LogRecord) {
        let Some(trace_id) = id(&log.trace_id) else {
            return;
        };
        let time = time(log.time_unix_nano);
        let named = invocation_id(&log.attributes);
        let key = named.and_then(|id| self.spans.invocation(id, time));
        let key = key.or_else(|| self.spans.running(time).map(|span| span.key()));
        if let Some(key) = key {
            self.join_named_trace(key, trace_id, log);
        }
    }

    fn invocation_of_record(
        &self,
        log: &LogRecord,
        trace_id: Option<[u8; 16]>,
        time: SystemTime,
    ) -> Option<SpanKey> {
        let named = invocation_id(&log.attributes);
        named
            .and_then(|id| self.spans.invocation(id, Some(time)))
            .or_else(|| self.spans.invocation_of_trace(&trace_id?, Some(time)))
            .or_else(|| self.spans.invocation_at(time))
    }

    fn join_named_trace(&mut self, key: SpanKey, trace_id: [u8; 16], log: &LogRecord) {
        let context = self.spans.context(key);
        let is_known = self
            .spans
            .invocation(TraceId::from_array(trace_id), None)
            .is_some()
            || self.spans.knows_trace(&trace_id)
            || context.trace_id == trace_id;
        if !is_known {
            let trace = FunctionTrace {
                trace_id,
                span_id: id(&log.span_id),
                parent: None,
                flags: log.flags,
            };
            self.spans.join(key, trace);
        }
    }
}
