//! Tests of the emulator. Most use clients and extensions that are not built on `fg-extension`, so that a mistake that both
//! sides share does not go unnoticed.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod api;
mod dropped;
mod events;
mod faults;
mod function;
mod instance;
mod observer;
pub(crate) mod processes;
mod ready;
mod telemetry;
