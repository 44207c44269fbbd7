//! Sends translated telemetry to a collector, over OTLP/HTTP.

mod client;
mod clock;
mod compression;
mod connector;
mod counters;
mod exporter;
mod flush_policy;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing_received;
mod hint;
mod hold;
mod queue;
mod received;
mod request;
mod resolver;
mod response;
mod retry;
mod scheduler;
mod secrets;
mod signal_state;
mod stream;
mod tls;
mod worker;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use clock::TimeLimit;
pub(crate) use counters::ExportCounters;
pub(crate) use exporter::Exporter;
pub(crate) use received::ReceivedRequest;
pub(crate) use request::{PROTOBUF, Snapshot, SnapshotRequest};
