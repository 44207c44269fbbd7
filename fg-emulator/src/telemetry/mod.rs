//! Telemetry: the subscription (D 2712), the events (D 2713), and their delivery.
//!
//! Events from before the subscription are buffered. The initialization of the instance starts before any request of an
//! extension, and the documentation has events for it, so the platform must buffer them (I).

mod buffer;
mod delivery;
mod events;
mod subscription;
mod telemetry_state;
mod wait;

pub(crate) use self::delivery::deliver;
pub use self::subscription::{Subscription, TelemetryType};
pub(crate) use self::telemetry_state::TelemetryState;
