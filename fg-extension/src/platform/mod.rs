//! The platform's API: an HTTP client with retries, the registration, and the telemetry subscription.

pub(crate) mod client;
mod exchange;
mod json_fields;
pub(crate) mod register;
pub(crate) mod retry;
pub(crate) mod subscribe;
