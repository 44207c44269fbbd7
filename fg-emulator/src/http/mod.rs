//! HTTP: the platform's APIs, one listener for the extensions and one for the function, and the client.

pub(crate) mod client;
mod extension_api;
mod received_request;
mod response;
mod runtime_api;
mod server;

pub(crate) use self::server::{Api, serve};

/// A body is 6 MB at most (D, user guide).
const MAX_BODY: usize = 6 * 1024 * 1024;
