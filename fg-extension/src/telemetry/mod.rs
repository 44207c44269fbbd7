//! What the platform tells of the function, once an extension has subscribed to it (D 2710 to 2713).

mod batch;
mod counters;
mod delivery;
mod door;
mod event;
mod log_event;
mod platform_event;
mod queue;
mod report;
mod subscribe;
mod subscription;
mod timestamp;

pub use counters::TelemetryCounters;
pub(crate) use delivery::Delivery;
pub(crate) use door::Telemetry;
pub use event::TelemetryEvent;
pub use log_event::LogEvent;
pub use platform_event::{Metrics, PlatformEvent, PlatformRecord};
pub(crate) use queue::Overflow;
pub use subscription::{Subscription, TelemetryType};
pub use timestamp::Timestamp;
