//! What the platform tells of the function, once an extension has subscribed to it (D 2710 to 2713).

mod counters;
mod event;
mod log_event;
mod platform_event;
mod subscription;
mod timestamp;

pub use counters::TelemetryCounters;
pub use event::TelemetryEvent;
pub use log_event::LogEvent;
pub use platform_event::{Metrics, PlatformEvent, PlatformRecord};
pub use subscription::{Subscription, TelemetryType};
pub use timestamp::Timestamp;
