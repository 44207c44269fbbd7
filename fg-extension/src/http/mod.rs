//! The extension's own HTTP server: the listener, the routes, request bodies and responses.

pub(crate) mod body;
mod invoke;
pub(crate) mod listener;
pub(crate) mod response;
pub(crate) mod router;
