//! The extension's HTTP server: the listener, the router, request bodies and responses.

pub(crate) mod body;
mod invoke;
mod invoked;
pub(crate) mod listener;
pub(crate) mod response;
pub(crate) mod router;
