//! Small rules that several crates of fg-extension share, so that each exists once.
//!
//! ```
//! use std::time::Duration;
//!
//! assert_eq!(fg_util::duration::parse("1.5s"), Some(Duration::from_millis(1500)));
//! assert_eq!(fg_util::size::parse("512KiB"), Some(512 * 1024));
//! ```
//!
//! It depends on nothing but the standard library: the macro crate and every extension carry it.
//!
//! [`script_name`] and [`port`] are the platform's rules as the author's side applies them (the runtime and the macro).
//! The emulator judges that side, so it has its own, written from the platform's documentation.

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

pub mod backoff;
pub mod duration;
pub mod error;
pub mod port;
pub mod script_name;
pub mod select;
pub mod setting;
pub mod size;
pub mod throttle;
