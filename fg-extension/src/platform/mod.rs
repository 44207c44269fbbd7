//! The platform's API: an HTTP client with retries, the registration, and the telemetry subscription.

pub(crate) mod client;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod register;
mod resolve;
pub(crate) mod retry;
mod stopwatch;
pub(crate) mod subscribe;
