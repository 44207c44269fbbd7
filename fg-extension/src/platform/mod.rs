//! The platform's API: an HTTP client with retries, the registration, and the telemetry subscription.

pub(crate) mod client;
mod exchange;
pub(crate) mod register;
pub(crate) mod retry;
pub(crate) mod subscribe;
