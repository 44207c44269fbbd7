//! `cargo fg dev` and `cargo fg invoke`, as their users call them.
#![allow(clippy::unwrap_used, reason = "what helps a test may panic as it does")]

mod faults;
mod instance;
mod invoke;
mod json;
mod keyboard;
mod plain;
mod rebuild;
pub(crate) mod running;
mod shutdown;
