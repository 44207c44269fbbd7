//! Builds spans from platform events.

mod builder;
mod outcome;
mod phase;
mod tracker;

pub(super) use builder::SpanBuilder;
pub(super) use outcome::{Outcome, error_type};
pub(super) use phase::Phase;
#[cfg(test)]
pub(super) use tracker::MAX_SPANS;
pub(super) use tracker::SpanTracker;
