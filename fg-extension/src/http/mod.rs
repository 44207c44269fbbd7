//! The extension's HTTP server: the listener, connections, the router, request bodies and responses.

pub(crate) mod body;
pub(crate) mod connection;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod invoke;
mod invoked;
pub(crate) mod listener;
pub(crate) mod offload;
pub(crate) mod open_connections;
pub(crate) mod reading;
pub(crate) mod request_log;
pub(crate) mod response;
pub(crate) mod router;
