//! Builds the OTLP span.

use std::time::SystemTime;

use fg_extension::FunctionUrn;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::builder::SpanBuilder;
use super::function_trace::{FunctionTrace, HAS_IS_REMOTE, IS_REMOTE, SAMPLED};
use super::phase::Phase;
use super::resource_id::resource_id;
use crate::translate::FunctionInfo;
use crate::translate::any_value::attribute;
use crate::translate::timestamps::unix_nanos;

/// The IDs of a span.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SpanContext {
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
}

/// What a span needs to know besides its events.
pub(crate) struct SpanEnvironment<'a> {
    pub(crate) function: &'a FunctionInfo,
    /// The URN of the latest invocation, used if the span has none.
    pub(crate) urn: Option<&'a FunctionUrn>,
    /// `faas.trigger`, which no event names.
    pub(crate) trigger: Option<&'a str>,
    /// The span of the invocation that an init or a restore belongs to.
    pub(crate) parent: Option<SpanContext>,
}

/// The alias that was invoked, which `cloud.resource_id` does not contain.
const ALIAS: &str = "functiongraph.alias";

impl SpanBuilder {
    /// Builds the span from the data so far.
    pub(crate) fn build(mut self, environment: SpanEnvironment<'_>, now: SystemTime) -> Span {
        let SpanEnvironment {
            function,
            urn,
            trigger,
            parent,
        } = environment;
        let (start, end) = self.times(now);
        let is_invocation = self.phase == Phase::Invocation;
        let span_urn = self.urn.take();
        let urn = span_urn.as_ref().or(urn);
        let name = function.name.as_deref().or_else(|| urn?.name());
        let version = function.version.as_deref().or_else(|| urn?.version());
        let resource_id = urn.map(|urn| resource_id(urn, version));

        let alias = urn.and_then(FunctionUrn::alias);
        let alias = alias.filter(|_| !self.other.contains_key(ALIAS));

        let other = std::mem::take(&mut self.other);
        let mut attributes: Vec<_> = other
            .into_iter()
            .map(|(key, value)| KeyValue {
                key,
                value: Some(value),
                ..KeyValue::default()
            })
            .collect();
        let cold_start = match self.phase {
            Phase::Init => Some(true),
            Phase::Restore => None,
            Phase::Invocation => Some(self.is_cold()),
        };
        attributes.extend(cold_start.map(|cold| attribute("faas.coldstart", cold)));
        let texts = [
            ("faas.trigger", trigger.filter(|_| is_invocation)),
            ("faas.invocation_id", self.id.as_deref()),
            ("faas.name", name),
            ("faas.version", version),
            ("cloud.resource_id", resource_id.as_deref()),
            (ALIAS, alias),
            ("error.type", self.error_type()),
        ];
        attributes.extend(
            texts
                .into_iter()
                .filter_map(|(key, text)| Some(attribute(key, text?))),
        );
        // `error.type` says why, so a message would only repeat it.
        let failed = self.outcome().is_some_and(|outcome| outcome.is_failure());
        let status = failed.then(|| Status {
            code: StatusCode::Error.into(),
            ..Status::default()
        });

        let (trace_id, parent_span_id, flags) = match (is_invocation, parent) {
            (true, _) => {
                let joined = self.joined.unwrap_or_default();
                let remote = joined.parent.map_or(0, |_| HAS_IS_REMOTE | IS_REMOTE);
                let parent = joined.parent.map(Vec::from).unwrap_or_default();
                let flags = SAMPLED | (joined.flags & 0xff) | remote;
                (self.trace_id().to_vec(), parent, flags)
            }
            (false, Some(parent)) => (parent.trace_id, parent.span_id, SAMPLED | HAS_IS_REMOTE),
            // An init or a restore without an invocation is the root of its own trace.
            (false, None) => (self.trace.bytes(), Vec::new(), SAMPLED),
        };
        let (name, kind) = match self.phase {
            Phase::Init | Phase::Restore => (self.phase.name(), SpanKind::Internal),
            Phase::Invocation => (name.unwrap_or("function"), SpanKind::Server),
        };
        Span {
            trace_id,
            span_id: self.key().span_id(),
            parent_span_id,
            flags,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: unix_nanos(start),
            end_time_unix_nano: unix_nanos(end),
            attributes,
            links: self.links.iter().filter_map(FunctionTrace::link).collect(),
            dropped_links_count: self.dropped_links,
            status,
            ..Span::default()
        }
    }
}
