//! Tests of the page's server: `cargo fg dev --ui` as a process, and HTTP.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod access;
mod controls;
mod events;
mod http;
mod run;

use std::process::Command;

use self::http::Address;
use crate::dev::running::{Running, TestContext};

/// Starts a `dev` with a page, and returns it with the address of the page.
fn start(command: Command) -> (Running, Address) {
    let mut dev = Running::start(command);
    let line = dev.line("page http://");
    let address = Address::of(line.trim_start_matches("page "));
    (dev, address)
}

/// Starts a `dev` with a page for the Python extension, and waits for its first invocation.
fn start_python(context: &TestContext, arguments: &[&str]) -> (Running, Address) {
    let arguments = [&["--ui"], arguments].concat();
    let (mut dev, page) = start(context.python(&arguments));
    dev.line("invoked #1 ");
    (dev, page)
}
