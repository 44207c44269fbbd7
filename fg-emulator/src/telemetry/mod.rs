//! Telemetry: who subscribed (D 2710), the events (D 2711 to 2713), and their delivery.
//!
//! What happens before the subscription is kept for it: the initialisation comes before any request of an
//! extension, and the page has events of it.

mod buffer;
mod delivery;
mod events;
mod subscription;
mod telemetry_state;
mod wait;

pub(crate) use self::delivery::deliver;
pub use self::subscription::{Subscription, TelemetryType};
pub(crate) use self::telemetry_state::TelemetryState;
