//! Tests of the emulator with clients and extensions that do not use `fg-extension`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod api;
mod dropped;
mod faults;
mod function;
mod instance;
mod observer;
mod processes;
mod telemetry;
