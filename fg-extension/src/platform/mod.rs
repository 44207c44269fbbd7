//! Requests to the platform's API: the client with its retries, the registration and the telemetry subscription.

pub(crate) mod client;
pub(crate) mod register;
pub(crate) mod retry;
pub(crate) mod subscribe;
