//! The emulator, against clients and extensions that are not ours.
#![allow(clippy::unwrap_used, reason = "what helps a test may panic as it does")]

mod api;
mod dropped;
mod faults;
mod function;
mod instance;
mod observer;
mod processes;
mod telemetry;
