//! Emulates Huawei Cloud FunctionGraph on your machine, so that tests can run extensions as the platform does.
//!
//! [`Platform`] starts an extension as a real process, waits until it registers, posts invoke events to it, and shuts it
//! down:
//!
//! ```no_run
//! use fg_emulator::{Error, Platform};
//!
//! #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! async fn main() -> Result<(), Error> {
//!     let platform = Platform::start().await?;
//!     // In an integration test, the program is env!("CARGO_BIN_EXE_hello").
//!     platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
//!
//!     platform.invoke().await?.assert_ok();
//!
//!     let shutdown = platform.shutdown().await?;
//!     assert!(shutdown.is_clean(), "{shutdown:?}");
//!     Ok(())
//! }
//! ```
//!
//! An extension can be any executable, written in any language. [`ExtensionCommand`] adds arguments, environment
//! variables, and a second port, or boots an unpacked ZIP. If an extension does not register, the [`Error`] contains
//! what it printed.
//!
//! # Test a freeze
//!
//! The platform can freeze an instance between two invocations. [`Platform::freeze`] stops all processes of the instance
//! with SIGSTOP; the next invocation, or [`Platform::thaw`], resumes them:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use std::time::Duration;
//! use fg_emulator::Platform;
//!
//! let platform = Platform::start().await?;
//! platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
//! platform.invoke().await?.assert_ok();
//!
//! platform.freeze();
//! // Longer than every timeout of the extension: the frozen time must not count toward them.
//! tokio::time::sleep(Duration::from_secs(3)).await;
//! platform.invoke().await?.assert_ok(); // thaws the instance first
//!
//! assert!(platform.shutdown().await?.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! To freeze the instance while an event is in flight, call `freeze` and `thaw` in one branch of `tokio::join!`, and
//! `invoke` in the other.
//!
//! # Test telemetry
//!
//! Once an extension has subscribed, it receives the telemetry of every invocation.
//! [`Platform::wait_for_subscription`] and [`Platform::wait_for_telemetry`] wait for the two asynchronous steps, and an
//! [`InvokeRequest`] determines what the function logs, how long it takes, and whether it succeeds:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use std::time::Duration;
//! use fg_emulator::{ExtensionCommand, FunctionOutcome, InvokeRequest, Platform};
//!
//! let platform = Platform::start().await?;
//! let forwarder = ExtensionCommand::new("extensionForwarder.sh", "target/debug/forwarder")
//!     .lease_port()
//!     .lease_telemetry_port();
//! platform.boot(forwarder).await?;
//! platform.wait_for_subscription().await?;
//!
//! let request = InvokeRequest::new()
//!     .log("not enough rows")
//!     .duration(Duration::from_millis(20))
//!     .outcome(FunctionOutcome::Error);
//! platform.invoke_with(request).await?.assert_ok();
//! platform.wait_for_telemetry().await;
//! // The forwarder has now acknowledged every event of the invocation.
//! # Ok(())
//! # }
//! ```
//!
//! [`Platform::send_telemetry`] posts a custom body, for example an event of an unknown type or invalid JSON.
//!
//! # Inject faults
//!
//! [`Faults`] make the platform misbehave: it rejects registrations, posts an event twice, freezes the instance, and so
//! on. [`Fault`] lists them all. A seed makes a run repeatable; failure messages contain it:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use fg_emulator::{ExtensionCommand, Faults, Platform};
//!
//! let faults = Faults::parse("register-503,event-duplicate=0.5,freeze=0.2", 42)?;
//! let platform = Platform::builder().faults(faults).start().await?;
//! let command = ExtensionCommand::new("extensionNightWatch.sh", "python3").arg("night_watch.py");
//! // The first registration gets status 503, so the extension must retry.
//! platform.boot(command.lease_port()).await?;
//! for _ in 0..10 {
//!     platform.invoke().await?.assert_ok();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Run a real function
//!
//! By default the function is synthetic: it does what the [`InvokeRequest`] says, without a process.
//! [`Platform::boot_function`] runs the `bootstrap` of a custom runtime instead, and [`Platform::boot_http_function`] that of
//! an HTTP function:
//!
//! ```no_run
//! # async fn test() -> Result<(), fg_emulator::Error> {
//! use fg_emulator::{FunctionOutcome, InvokeRequest, Platform};
//!
//! let platform = Platform::start().await?;
//! platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
//! platform.boot_function("function/bootstrap").await?;
//!
//! let request = InvokeRequest::new().payload(r#"{"order": 7}"#);
//! let invoked = platform.invoke_with(request).await?;
//! invoked.assert_ok(); // every extension responded with status 200
//! assert_eq!(invoked.function.outcome, FunctionOutcome::Ok);
//! assert_eq!(invoked.function.response, r#"{"shipped": true}"#);
//! # Ok(())
//! # }
//! ```
//!
//! Payloads and bodies are [`bytes::Bytes`](https://docs.rs/bytes).
//!
//! # Observe and assert
//!
//! [`PlatformBuilder::observer`] calls a closure for every [`Event`]: API requests, printed lines, freezes, delivered and
//! lost telemetry, injected faults. An assertion that fails in an observer fails the test.
//!
//! The emulator never fakes success: it rejects a request that is not part of the API, and reports it as
//! [`Event::Rejected`].
//!
//! # Ports and processes
//!
//! The platform posts only to the ports 8081 to 8090 (D 2707). [`PortLease`] shares them among all tests on the machine, so
//! that tests can run in parallel; [`Platform::boot_bin`] and [`ExtensionCommand::lease_port`] use it.
//!
//! The emulator runs on Linux. It starts each extension in its own process group, and kills every process of the instance
//! when the [`Platform`] is dropped, or when the test program is killed. The one exception: a process that changes its
//! group and clears its environment, for example with `setsid env -i`, survives.
//!
//! # How closely it follows FunctionGraph
//!
//! The emulator is written from the platform's documentation. It has not been compared with the real platform. These docs
//! mark facts about the platform: D is documented (D 2707 is on the page `functiongraph_06_2707`), I is inferred, and ? is
//! unknown. Where the documentation is silent, the emulator behaves as follows:
//!
//! - A registration that breaks a rule is rejected with status 400, and so is one with a header that occurs twice.
//! - A function whose process exits is started again for the next invocation. One that times out is killed.
//! - An HTTP function has failed if it responds with a status other than 2xx, as in the open-source relative of the
//!   platform's engine.
//! - A function of a custom runtime is initialized when it requests its first event, since there is no documented request
//!   for an initializer.
//! - An invoke event is posted to all extensions at the same time, when the function starts, over a new connection each.
//! - A shutdown is SIGTERM, followed by SIGKILL after a grace period of 5 seconds.
//! - Telemetry is delivered in order, one batch at a time. A batch contains the buffered events, up to 256 KiB. The buffer
//!   holds 1 MiB; further events are dropped, and reported as [`Event::TelemetryLost`].
//! - Events from before the subscription are buffered for the subscriber.
//! - A batch is posted up to five times if the response has status 408, 429 or 5xx, or if there is no response. The pause
//!   between two attempts doubles, unless the response has a `Retry-After` header.
//! - A frozen instance receives no telemetry.

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
mod json;
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
pub use function::{FunctionOutcome, FunctionRun, HTTP_FUNCTION_PORT};
pub use invocation::{ExtensionResponse, HttpResponse, InvokeRequest, InvokeResult};
pub use platform::{Platform, PlatformBuilder, RegisteredExtension, ShutdownReport};
pub use port::{PORT_RANGE, PortLease, is_extension_address};
pub use process::{OutputLine, OutputStream, ProcessExit, describe_exit};
pub use script_name::ScriptName;
pub use telemetry::{Subscription, TelemetryType};
