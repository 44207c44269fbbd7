//! Tests of two of our extensions in one function: they boot, are invoked, frozen, thawed, and shut down together.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod collector;
mod default_ports;
mod ports_in_use;
mod programs;
mod together;
