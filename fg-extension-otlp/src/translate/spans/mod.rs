//! Builds spans from platform events.

mod binding;
mod build;
mod builder;
mod emitted;
mod function_trace;
mod outcome;
mod phase;
mod resource_id;
mod run;
mod tracker;

pub(super) use build::SpanEnvironment;
pub(crate) use builder::REORDER_WINDOW;
pub(super) use builder::{SpanBuilder, from_millis};
pub(super) use function_trace::{
    FunctionTrace, HAS_IS_REMOTE, IS_REMOTE, Join, MAX_LINKS, SAMPLED,
};
pub(super) use outcome::{Outcome, error_type};
pub(super) use phase::Phase;
pub(super) use run::SpanKey;
#[cfg(test)]
pub(super) use tracker::MAX_SPANS;
pub(super) use tracker::SpanTracker;
