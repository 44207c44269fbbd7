//! Utilities shared by the crates of fg-extension: durations, sizes, times, settings and files with them, error messages, escapes in JSON,
//! back-off, log throttling, and the interface of the secrets cache.
//!
//! ```
//! use std::time::Duration;
//!
//! assert_eq!(fg_util::duration::parse("1.5s"), Some(Duration::from_millis(1500)));
//! assert_eq!(fg_util::size::parse("512KiB"), Some(512 * 1024));
//! ```
//!
//! This crate is an implementation detail of [fg-extension](https://docs.rs/fg-extension). It has no dependencies,
//! since it is part of the macro crate and of every extension.
//!
//! The modules [`script_name`] and [`port`] contain the platform's rules for the runtime and the macro. The emulator
//! does not use them: it has its own implementation, written from the platform's documentation, so that a mistake in
//! one of them is detected by the other.

// Library code never panics, prints or exits (CONTRIBUTING.md).
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

// This crate is compiled before the code that does not compile on Windows, so the message is the only error. The macro
// crate does not enable the feature.
#[cfg(all(windows, feature = "unix-only"))]
compile_error!(
    "fg-extension and cargo-fg do not support Windows; use them in WSL, which runs Linux: https://learn.microsoft.com/windows/wsl"
);

pub mod backoff;
pub mod duration;
pub mod env_file;
pub mod epoch;
pub mod error;
pub mod json_escape;
pub mod port;
pub mod script_name;
pub mod secrets;
pub mod select;
pub mod setting;
pub mod size;
pub mod terminal;
pub mod throttle;
