//! The function's own traces, and which invocations they belong to.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use opentelemetry_proto::tonic::trace::v1::span::Link;

use super::run::SpanKey;

/// The maximum number of links of a span, which is also that of links of an invocation that are remembered.
pub(crate) const MAX_LINKS: usize = 32;

/// The W3C flag of a trace that is recorded.
pub(crate) const SAMPLED: u32 = 0x01;
/// The bits that say that a parent is in another process: it is known whether it is, and it is.
pub(crate) const HAS_IS_REMOTE: u32 = 0x100;
pub(crate) const IS_REMOTE: u32 = 0x200;

/// A W3C trace of the function, as far as it is known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct FunctionTrace {
    pub(crate) trace_id: [u8; 16],
    /// The function's local root span, or any other span of the trace while that is unknown.
    pub(crate) span_id: Option<[u8; 8]>,
    /// The parent of the local root span, in another process.
    pub(crate) parent: Option<[u8; 8]>,
    /// The W3C trace flags.
    pub(crate) flags: u32,
}

impl FunctionTrace {
    /// Adds what another span of the same trace says.
    pub(crate) fn update(&mut self, other: &Self) {
        self.parent = self.parent.or(other.parent);
        self.flags |= other.flags;
    }

    /// Returns a link to the trace, or `None` if none of its spans is known.
    pub(crate) fn link(&self) -> Option<Link> {
        Some(Link {
            trace_id: self.trace_id.to_vec(),
            span_id: self.span_id?.to_vec(),
            flags: (self.flags & 0xff) | HAS_IS_REMOTE | IS_REMOTE,
            ..Link::default()
        })
    }
}

/// The result of joining an invocation with a trace of the function.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Join {
    /// The span of the invocation is in that trace.
    Joined,
    /// The span of the invocation has a link to that trace.
    Linked,
    /// The span of the invocation was emitted before, in another trace.
    TooLate,
}

/// The maximum number of unbound traces.
const MAX_UNBOUND: usize = 16;

/// Traces of the function that arrived before anything about their invocation, since the platform may notify the
/// extension late (?).
#[derive(Default)]
pub(super) struct UnboundTraces {
    /// Each with the start of the span that named it, oldest first.
    traces: VecDeque<(FunctionTrace, SystemTime)>,
}

impl UnboundTraces {
    pub(super) fn insert(&mut self, trace: FunctionTrace, start: SystemTime) {
        let is_same = |(known, _): &&(FunctionTrace, _)| known.trace_id == trace.trace_id;
        if self.traces.iter().any(|known| is_same(&known)) {
            return;
        }
        if self.traces.len() >= MAX_UNBOUND {
            self.traces.pop_front();
        }
        self.traces.push_back((trace, start));
    }

    /// Removes and returns the traces for which `find` returns an invocation.
    pub(super) fn bind(
        &mut self,
        find: impl Fn(SystemTime) -> Option<SpanKey>,
    ) -> Vec<(SpanKey, FunctionTrace)> {
        let mut bound = Vec::new();
        self.traces.retain(|(trace, start)| match find(*start) {
            Some(key) => {
                bound.push((key, *trace));
                false
            }
            None => true,
        });
        bound
    }
}

/// The maximum number of pairs of a trace and an invocation that are remembered.
const MAX_PAIRS: usize = 2048;

/// The invocations that a trace of the function was joined with. Several invocations can be part of one trace, for
/// instance if a workflow calls the function twice.
#[derive(Default)]
pub(super) struct TraceIndex {
    invocations: HashMap<[u8; 16], Vec<SpanKey>>,
    /// Oldest first.
    order: VecDeque<([u8; 16], SpanKey)>,
}

impl TraceIndex {
    pub(super) fn insert(&mut self, trace_id: [u8; 16], key: SpanKey) {
        if self.of(&trace_id).contains(&key) {
            return;
        }
        if self.order.len() >= MAX_PAIRS
            && let Some((oldest, key)) = self.order.pop_front()
            && let Some(keys) = self.invocations.get_mut(&oldest)
        {
            keys.retain(|known| *known != key);
            if keys.is_empty() {
                self.invocations.remove(&oldest);
            }
        }
        // Nearly all traces have one.
        let new = || Vec::with_capacity(1);
        self.invocations
            .entry(trace_id)
            .or_insert_with(new)
            .push(key);
        self.order.push_back((trace_id, key));
    }

    /// Returns the invocations of a trace, oldest first.
    pub(super) fn of(&self, trace_id: &[u8; 16]) -> &[SpanKey] {
        self.invocations.get(trace_id).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::ids::TraceId;
    use crate::translate::spans::Phase;

    #[test]
    fn index_is_bounded() {
        let key = |id: usize| SpanKey::first(TraceId::of(&id.to_string()), Phase::Invocation);
        let trace = |id: usize| TraceId::of(&format!("trace {id}")).array();
        let mut index = TraceIndex::default();
        for id in 0..MAX_PAIRS + 10 {
            for _ in 0..2 {
                index.insert(trace(id), key(id));
            }
        }
        assert_eq!(index.order.len(), MAX_PAIRS);
        assert_eq!(index.invocations.len(), MAX_PAIRS);
        assert!(index.of(&trace(9)).is_empty());
        assert_eq!(index.of(&trace(10)), [key(10)]);
        index.insert(trace(11), key(1));
        assert_eq!(index.of(&trace(11)), [key(11), key(1)]);
    }
}
