//! Correlates spans that the function's own SDK exports.
//!
//! An SDK exports a span when it ends, so the children of a span usually arrive before the span itself, often in another
//! request.

use std::collections::HashSet;
use std::time::SystemTime;

use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::ids::{add_invocation_id, id, invocation_id, time};
use crate::translate::Translator;
use crate::translate::ids::TraceId;
use crate::translate::spans::{
    FunctionTrace, HAS_IS_REMOTE, IS_REMOTE, Join, MAX_LINKS, SAMPLED, SpanKey,
};

/// The IDs of a span.
type Ids = ([u8; 16], [u8; 8]);

impl Translator {
    /// Joins the spans of the function with the spans of their invocations.
    ///
    /// A local root span is the first span of a trace in this instance. It gets the span of its invocation as its
    /// parent, unless it has one. If it is in another trace than that span, one of them is linked to the other. All
    /// other spans stay unchanged.
    pub(crate) fn correlate_spans(
        &mut self,
        resource_spans: &mut [ResourceSpans],
        now: SystemTime,
    ) {
        let in_request: HashSet<Ids> = all(resource_spans).filter_map(ids).collect();
        for span in all_mut(resource_spans) {
            if is_local_root(span, &in_request) {
                self.correlate_root(span, now);
            }
        }
        // A trace can be joined before its local root span has ended.
        let mut searched = HashSet::new();
        for span in all(resource_spans) {
            let Some(trace) = trace_of(span) else {
                continue;
            };
            if self.spans.knows_trace(&trace.trace_id) || !searched.insert(trace.trace_id) {
                continue;
            }
            match self.invocation_of_span(span, &trace.trace_id, now) {
                Some(key) => drop(self.spans.join(key, trace)),
                None => self.spans.remember_trace(trace, start(span, now)),
            }
        }
    }

    fn correlate_root(&mut self, span: &mut Span, now: SystemTime) {
        let parent = id(&span.parent_span_id);
        let Some(trace) = trace_of(span).map(|trace| FunctionTrace { parent, ..trace }) else {
            return;
        };
        let Some(key) = self.invocation_of_span(span, &trace.trace_id, now) else {
            self.spans.remember_trace(trace, start(span, now));
            return;
        };
        match self.spans.join(key, trace) {
            // A span that is not sent would be a parent that is missing.
            Join::Joined if span.parent_span_id.is_empty() && self.is_sampled(key) => {
                span.parent_span_id = key.span_id();
                span.flags |= HAS_IS_REMOTE | IS_REMOTE;
            }
            // The function derives the same parent in all runs of an invocation.
            Join::Joined if key.is_root(&trace.trace_id, &span.parent_span_id) => {
                span.parent_span_id = key.span_id();
            }
            Join::Joined | Join::Linked => {}
            Join::TooLate => {
                let context = self.spans.context(key);
                if span.links.len() < MAX_LINKS {
                    span.links.push(Link {
                        trace_id: context.trace_id,
                        span_id: context.span_id,
                        flags: HAS_IS_REMOTE | IS_REMOTE,
                        ..Link::default()
                    });
                }
            }
        }
        add_invocation_id(&mut span.attributes, self.spans.request_id(key));
    }

    /// Returns whether the span of an invocation is sent.
    fn is_sampled(&self, key: SpanKey) -> bool {
        let (trace_id, source) = self.spans.trace(key);
        self.sampler.is_sampled(trace_id, source)
    }

    /// Returns the invocation that a span belongs to: the one that the span names, or whose ID is the trace ID, or else
    /// the only one that was running when the span started, or else the one that its trace has joined.
    fn invocation_of_span(
        &self,
        span: &Span,
        trace_id: &[u8; 16],
        now: SystemTime,
    ) -> Option<SpanKey> {
        let start = start(span, now);
        let named = invocation_id(&span.attributes).into_iter();
        named
            .chain([TraceId::from_array(*trace_id)])
            .find_map(|id| self.spans.invocation(id, Some(start)))
            .or_else(|| self.spans.invocation_at(start))
            .or_else(|| self.spans.invocation_of_trace(trace_id, Some(start)))
    }
}

fn all(resource_spans: &[ResourceSpans]) -> impl Iterator<Item = &Span> {
    let scopes = resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.flat_map(|it| &it.spans)
}

fn all_mut(resource_spans: &mut [ResourceSpans]) -> impl Iterator<Item = &mut Span> {
    let scopes = resource_spans.iter_mut().flat_map(|it| &mut it.scope_spans);
    scopes.flat_map(|it| &mut it.spans)
}

/// Returns the IDs of a span, or `None` if one of them is invalid.
fn ids(span: &Span) -> Option<Ids> {
    Some((id(&span.trace_id)?, id(&span.span_id)?))
}

/// Returns the trace of a span, or `None` if an ID is invalid.
fn trace_of(span: &Span) -> Option<FunctionTrace> {
    let (trace_id, span_id) = ids(span)?;
    Some(FunctionTrace {
        trace_id,
        span_id: Some(span_id),
        parent: None,
        // Some SDKs leave out this flag, but only sampled spans are exported.
        flags: span.flags | SAMPLED,
    })
}

fn start(span: &Span, now: SystemTime) -> SystemTime {
    time(span.start_time_unix_nano).unwrap_or(now)
}

/// Returns whether no other span of this instance is the parent of a span, as far as the span says.
fn is_local_root(span: &Span, in_request: &HashSet<Ids>) -> bool {
    if span.parent_span_id.is_empty() {
        return true;
    }
    let parent = id(&span.trace_id).zip(id(&span.parent_span_id));
    if parent.is_some_and(|parent| in_request.contains(&parent)) {
        return false;
    }
    // The function derived the parent from the ID of the invocation.
    if parent.is_some_and(|(trace, parent)| TraceId::from_array(trace).root_span_id() == parent) {
        return true;
    }
    match span.flags & HAS_IS_REMOTE {
        // An older SDK does not say whether the parent is in another process.
        0 => matches!(span.kind(), SpanKind::Server | SpanKind::Consumer),
        _ => span.flags & IS_REMOTE != 0,
    }
}
