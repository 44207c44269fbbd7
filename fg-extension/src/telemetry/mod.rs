//! What the platform tells of the function, once an extension has subscribed to it (D 2710 to 2713).

mod batch;
mod counters;
mod delivery;
mod events;
mod queue;
mod server;
mod subscription;

pub use counters::TelemetryCounters;
pub(crate) use delivery::Delivery;
pub use events::{LogEvent, Metrics, PlatformEvent, PlatformRecord, TelemetryEvent, Timestamp};
pub(crate) use queue::Overflow;
pub(crate) use server::Telemetry;
pub use subscription::{Subscription, TelemetryType};
