//! HTTP: the servers of the extension API and the runtime API, and the client that posts to extensions.

pub(crate) mod client;
mod extension_api;
mod received_request;
mod response;
mod runtime_api;
mod server;

pub(crate) use self::server::{Api, serve};

/// The maximum size of a body (D, user guide: 6 MB).
const MAX_BODY: usize = 6 * 1024 * 1024;
