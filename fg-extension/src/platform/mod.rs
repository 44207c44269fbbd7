//! The platform's API: an HTTP client with retries, the registration, and the telemetry subscription.

pub(crate) mod client;
mod exchange;
pub(crate) mod register;
mod resolve;
pub(crate) mod retry;
mod stopwatch;
pub(crate) mod subscribe;
