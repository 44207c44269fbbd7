//! Builds spans from platform events.

mod builder;
mod outcome;
mod phase;
mod tracker;

pub(super) use builder::SpanBuilder;
pub(super) use outcome::Outcome;
pub(super) use phase::Phase;
pub(super) use tracker::SpanTracker;
#[cfg(test)]
pub(super) use tracker::MAX_SPANS;
