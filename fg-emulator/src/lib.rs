//! A FunctionGraph on your machine: the platform's side of the extension API, for tests and for `cargo fg`.
//!
//! [`Platform`] boots extensions as real processes under their script names, takes their registrations,
//! posts invocations to them, and stops them in order:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use fg_emulator::Platform;
//!
//! let platform = Platform::start().await?;
//! platform.boot_bin("extensionHello.sh", "target/debug/hello").await?; // waits for its registration
//! platform.invoke().await?.assert_ok();
//! assert!(platform.shutdown().await?.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! An extension may subscribe to telemetry, and gets the events of every invocation then
//! ([`Platform::wait_for_subscription`] has an example). Beside the extensions there is a function: a synthetic one, which
//! behaves as the [`InvokeRequest`] says, or a custom runtime ([`Platform::boot_function`]). The instance can be frozen and
//! thawed, and a platform can have [`Faults`], which a seed repeats:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use fg_emulator::{ExtensionCommand, Faults, FunctionOutcome, InvokeRequest, Platform};
//!
//! let faults = Faults::parse("register-503,event-duplicate=0.5,freeze=0.2", 42)?;
//! let platform = Platform::builder().faults(faults).start().await?;
//! let boot = ExtensionCommand::new("extensionNightWatch.sh", "python3").arg("night_watch.py");
//! platform.boot(boot.lease_port()).await?; // it has to try twice
//! for _ in 0..10 {
//!     let invocation = InvokeRequest::new().log("not enough rows").outcome(FunctionOutcome::Error);
//!     platform.invoke_with(invocation).await?.assert_ok(); // a failure names the seed
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It boots any executable, in any language, each in a process group of its own, and nothing of it outlives the
//! platform, also when the program that has the platform is killed; but for a process that leaves both its group and
//! its environment, as by `setsid env -i`, by which it would be found. It never fakes success: a request that is
//! not part of the API is rejected, and reported to the observer ([`PlatformBuilder::observer`]). An assertion that fails in
//! an observer fails the test.
//!
//! Bodies and payloads are [`bytes::Bytes`](https://docs.rs/bytes), as hyper has them, so that none is copied.
//!
//! What it does is written from the platform's documentation. Where that is silent (marked ?), the choice is
//! this emulator's: a registration that breaks a rule is rejected with status 400, an invocation goes to all
//! extensions at once, when the function starts, over a new connection each, and a shutdown is SIGTERM, then SIGKILL after
//! a grace period. Telemetry goes out in order, one batch at a time, whatever waits by then (256 KiB at most) being one; a
//! batch that is answered with 5xx, 408, 429 or not at all is posted five times, after pauses that double or are what
//! `Retry-After` says; what happened before the subscription is kept for it; at most 1 MiB waits, and a frozen
//! instance is sent nothing.

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

mod error;
mod event;
mod extension;
mod fault;
mod function;
mod http;
mod inner;
mod invocation;
mod observer;
mod platform;
mod port;
mod process;
mod script_name;
mod state;
mod telemetry;

pub use error::Error;
pub use event::{ApiRequest, Event};
pub use extension::ExtensionCommand;
pub use fault::{Fault, FaultRate, Faults};
pub use function::{FunctionOutcome, FunctionRun};
pub use invocation::{ExtensionResponse, HttpResponse, InvokeRequest, InvokeResult};
pub use platform::{Platform, PlatformBuilder, RegisteredExtension, ShutdownReport};
pub use port::{PORT_RANGE, PortLease, is_extension_address};
pub use process::{OutputLine, OutputStream, ProcessExit};
pub use script_name::ScriptName;
pub use telemetry::{Subscription, TelemetryType};
