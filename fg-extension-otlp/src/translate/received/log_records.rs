//! Correlates log records: those that the function's own SDK exports, and lines that name a trace of the function.

use std::time::SystemTime;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};

use super::ids::{add_invocation_id, id, invocation_id, time};
use crate::translate::Translator;
use crate::translate::ids::TraceId;
use crate::translate::logs::NamedTrace;
use crate::translate::spans::{FunctionTrace, Phase, SAMPLED, SpanKey};

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
                Some(trace_id) => {
                    let trace = FunctionTrace {
                        trace_id,
                        span_id: id(&log.span_id),
                        parent: None,
                        flags: log.flags,
                    };
                    self.join_named_trace(key, trace);
                }
                None => {
                    let context = self.spans.context(key);
                    (log.trace_id, log.span_id) = (context.trace_id, context.span_id);
                    log.flags |= self.flags_of_span(key);
                }
            }
            add_invocation_id(&mut log.attributes, self.spans.request_id(key));
        }
    }

    /// Binds a log record with the derived IDs of an invocation to the span of its run, in the trace that it has
    /// joined. A record that names only that trace belongs to the span of the invocation, too.
    pub(in crate::translate) fn bind(&self, log: &mut LogRecord) {
        let Some(trace_id) = id(&log.trace_id) else {
            return;
        };
        let trace = TraceId::from_array(trace_id);
        let time = time(log.time_unix_nano);
        if log.span_id == trace.root_span_id() {
            let known = self.spans.invocation(trace, time);
            let key = known.unwrap_or(SpanKey::first(trace, Phase::Invocation));
            let context = self.spans.context(key);
            (log.trace_id, log.span_id) = (context.trace_id, context.span_id);
            log.flags |= self.flags_of_span(key);
        } else if log.span_id.is_empty() {
            let named = invocation_id(&log.attributes);
            let key = named.and_then(|id| self.spans.invocation(id, time));
            let context = key.map(|key| self.spans.context(key));
            if let Some(context) = context.filter(|context| context.trace_id == trace_id) {
                log.span_id = context.span_id;
            }
        }
    }

    /// Joins the invocation of a line of the function with the trace that the line names.
    pub(in crate::translate) fn join_trace_of_line(&mut self, named: &NamedTrace, log: &LogRecord) {
        let time = time(log.time_unix_nano);
        if let Some(key) = self.spans.invocation(named.invocation, time) {
            let trace = FunctionTrace {
                trace_id: named.trace_id,
                span_id: named.span_id,
                parent: None,
                flags: named.flags,
            };
            self.join_named_trace(key, trace);
        }
    }

    /// Returns the W3C trace flags of records that belong to the span of an invocation: whether it is sent.
    fn flags_of_span(&self, key: SpanKey) -> u32 {
        let (trace_id, source) = self.spans.trace(key);
        match self.sampler.is_sampled(trace_id, source) {
            true => SAMPLED,
            false => 0,
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

    fn join_named_trace(&mut self, key: SpanKey, trace: FunctionTrace) {
        let trace_id = &trace.trace_id;
        let derived = TraceId::from_array(*trace_id);
        let is_known =
            self.spans.invocation(derived, None).is_some() || self.spans.is_joined(trace_id, key);
        if !is_known {
            self.spans.join(key, trace);
        }
    }
}
