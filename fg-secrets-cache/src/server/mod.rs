//! The HTTP server for the function: `GET /secrets/NAME`.

mod listener;
mod response;
mod service;

#[cfg(test)]
mod tests;

pub(crate) use self::listener::{Server, bind};
pub(crate) use self::service::Service;
