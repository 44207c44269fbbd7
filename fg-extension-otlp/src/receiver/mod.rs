//! The OTLP receiver: accepts what the function's own SDK sends, over OTLP/HTTP on a loopback address.
//!
//! It needs no timers for idle connections, which a freeze would break: their number is limited, and when there are too
//! many, the one that was opened first and is idle is closed.

mod connections;
mod decode;
mod decoded_size;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod listener;
mod pipe;
mod response;
mod service;
#[cfg(test)]
mod tests;
mod valid_ids;

pub(crate) use listener::{Receiver, bind};
pub(crate) use pipe::Pipe;
