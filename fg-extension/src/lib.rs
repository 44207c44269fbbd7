//! Extensions for Huawei Cloud FunctionGraph, by one attribute.
//!
//! An extension is a process that lives beside a function in its instance. It registers with the
//! platform over HTTP, then the platform posts every invocation of the function to the extension's own
//! HTTP server. [`#[extension]`](macro@extension) on an `async fn`, or on an `impl` block with state, makes the
//! whole program: `main`, the listener, the registration, the invoke server, the orderly end and the exit code.
//!
//! ```no_run
//! use fg_extension::{Invocation, extension};
//!
//! #[extension(name = "extensionHello.sh", port = 8081)]
//! async fn hello(invocation: Invocation) {
//!     println!("{} invoked {}", invocation.trace_id, invocation.invoked_function_urn);
//! }
//! ```
//!
//! Who wants a `main` of their own implements [`Extension`](trait@Extension) and calls [`run`].
//!
//! # Settings
//!
//! Everything is read once from the environment, at the start. A value that cannot be read ends the
//! process with a line that names the setting; an empty one counts as not set.
//!
//! | variable | default | effect |
//! | --- | --- | --- |
//! | `EXTENSION_API_ADDR` | set by FunctionGraph | `host:port` of the registration API; `http://` before it and `/` behind it are fine |
//! | `FG_EXTENSION_PORT` | the compiled port | another port from 8081 to 8090: `8085`, or by script name `extensionHello.sh=8085,extensionOther.sh=8086` |
//! | `FG_REGISTER_TIMEOUT` | `10s` | how long to try to register |
//! | `FG_SHUTDOWN_TIMEOUT` | `2s` | how long the end may take: what is in flight finishes, telemetry is delivered, then [`shutdown`](Extension::shutdown) runs; `0s` does not wait |
//! | `FG_TELEMETRY_PORT` | the compiled port | another port for telemetry, written as for `FG_EXTENSION_PORT` |
//! | `FG_TELEMETRY_BUFFER` | `4MiB` | how many bytes of telemetry may wait for [`telemetry`](TelemetryHandler::telemetry), from 1 byte to 1 GiB: `512KiB`, `1.5MiB`, `4194304`; a batch that does not fit is rejected with status 503, unless nothing else is in the buffer |
//! | `FG_TELEMETRY_TIMEOUT` | `30s` | for how long `telemetry` is tried with the same events, until they are lost |
//! | `FG_LOG` | `warn` | least level of the log lines on stderr: `off`, `error`, `warn`, `info`, `debug`, `trace` (feature `stderr-log`) |
//!
//! `RUNTIME_FUNC_NAME` and `RUNTIME_FUNC_VERSION`, which are the function's own (D), name the function where
//! the platform's answer to the registration does not.
//!
//! Those of telemetry are read by an extension that subscribes. A batch that is larger than the buffer is taken when
//! nothing else is in it.
//!
//! Durations are `500ms`, `10s`, `1.5s`, `1m` or `1h`, a number without a unit is seconds; one hour at most.
//!
//! # Features
//!
//! | feature | default | effect |
//! | --- | --- | --- |
//! | `stderr-log` | on | a small `tracing` subscriber, which writes the log lines to stderr, unless the process has a global one by the start |
//!
//! The runtime logs by `tracing`. Without this feature and without a subscriber of your own, nothing is logged, and `FG_LOG`
//! is not read.
//!
//! # What is known of the platform
//!
//! These docs mark facts about the platform: **D** is documented on the page named (numbers are those of
//! the pages of Huawei Cloud's *FunctionGraph API reference*, `functiongraph_06_27xx`), **I** is inferred,
//! **?** is unknown, and the runtime depends on neither answer.

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

mod config;
mod error;
mod extension;
mod http;
mod lifecycle;
mod log;
mod macro_support;
mod panics;
mod platform;
mod run;
mod script_name_marker;
mod telemetry;
mod types;

pub use error::{Error, RunError};
pub use extension::{Extension, TelemetryHandler};
pub use run::{run, run_with_telemetry};
pub use telemetry::{
    LogEvent, Metrics, PlatformEvent, PlatformRecord, Subscription, TelemetryCounters,
    TelemetryEvent, TelemetryType, Timestamp,
};
pub use types::{
    ExtensionName, FunctionUrn, InvalidExtensionName, InvalidPort, Invocation, Port, Registration,
};

/// Makes an `async fn`, or an `impl` block, the whole program of an extension.
///
/// It writes an implementation of [`Extension`](trait@Extension), with `#[telemetry]` one of [`TelemetryHandler`] too,
/// and a `main` that runs it: listen, register, make the extension, serve, end in order. The exit status is 0, or 1 after a line on stderr that says what went wrong.
/// Since `main` stands beside the item, the item belongs into the crate's root, `main.rs`: in a module it does not
/// compile, and in a library there is the implementation, and nobody who calls that `main`.
///
/// # On a function
///
/// ```no_run
/// use fg_extension::{Error, Invocation, extension};
///
/// #[extension(name = "extensionHello.sh", port = 8081)]
/// async fn hello(invocation: Invocation) -> Result<(), Error> {
///     let name = invocation.invoked_function_urn.name().ok_or("a URN of a new form")?;
///     println!("{name} was invoked");
///     Ok(())
/// }
/// ```
///
/// The function takes one [`Invocation`] and returns `()` or `Result<(), E>`, where `E` is anything that turns
/// into [`Error`]. It is called for every invocation, as [`Extension::invoke`] is. It stays what it is, so tests can
/// call it; only one that is called `main` moves into the `main` that is generated.
///
/// # On an `impl` block
///
/// For an extension with state, or with an end. The impl is the type's own, not that of a trait; attributes on
/// its methods say what they are for. Other methods, and constants, stay as they are.
///
/// ```no_run
/// use fg_extension::{Error, Invocation, Registration, TelemetryEvent, extension};
/// use tokio::net::UdpSocket;
///
/// struct Forwarder {
///     collector: UdpSocket,
/// }
///
/// #[extension(name = "extensionForwarder.sh", port = 8081, timeout = "2s")]
/// impl Forwarder {
///     #[init]
///     async fn connect(registration: &Registration) -> Result<Self, Error> {
///         println!("beside {}", registration.function_name.as_deref().unwrap_or("a function"));
///         let collector = UdpSocket::bind("127.0.0.1:0").await?;
///         collector.connect("127.0.0.1:8125").await?;
///         Ok(Self { collector })
///     }
///
///     #[invoke]
///     async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
///         self.send(&invocation.trace_id).await
///     }
///
///     #[telemetry(port = 8082, types(platform, function))]
///     async fn on_telemetry(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
///         for event in events {
///             self.send(&format!("{event:?}")).await?;
///         }
///         Ok(())
///     }
///
///     #[shutdown]
///     async fn say_goodbye(&self) -> Result<(), Error> {
///         self.send("end").await
///     }
///
///     async fn send(&self, line: &str) -> Result<(), Error> {
///         self.collector.send(line.as_bytes()).await?;
///         Ok(())
///     }
/// }
/// ```
///
/// | attribute | signature | if it is left out |
/// | --- | --- | --- |
/// | `#[init]` | `async fn(&Registration) -> Self` or `-> Result<Self, E>`; the parameter may be left out | `Self::default()` |
/// | `#[invoke]` | `async fn(&self, Invocation)`, returns `()` or `Result<(), E>` | invocations are answered, and nothing is done |
/// | `#[telemetry(…)]` | `async fn(&self, Vec<TelemetryEvent>, &TelemetryCounters)`, likewise; the last parameter may be left out | there is no subscription |
/// | `#[shutdown]` | `async fn(&self)`, likewise | nothing is done at the end |
///
/// One of `#[invoke]` and `#[telemetry]` is there. A role is given to one method, or to several of which `#[cfg]`
/// leaves one. When each is called, and what its error does, is said of the
/// methods of [`Extension`](trait@Extension) that they become: [`init`](Extension::init),
/// [`invoke`](Extension::invoke), [`telemetry`](TelemetryHandler::telemetry), [`shutdown`](Extension::shutdown).
///
/// # Arguments
///
/// | of `#[extension]` | value | checked at compile time |
/// | --- | --- | --- |
/// | `name` | the complete file name of the start script, a string literal | begins with `extension`, ends in `.sh`, no `/`, printable ASCII, 255 bytes at most |
/// | `port` | the port of the extension's server: a literal, a constant (`Self::PORT` too) or a constant expression of type `u16` | 8081 to 8090 |
/// | `timeout`, optional | the longest time for one invocation, as in `"500ms"`, `"2s"` or `"1m"`, to the millisecond | from 1ms to 1h |
/// | `crate`, optional | the path of this crate where it is not `::fg_extension`, as in `crate = sdk::fg_extension` | that it is there |
///
/// | of `#[telemetry]` | value | checked at compile time |
/// | --- | --- | --- |
/// | `port` | the port that telemetry is posted to, which may be the extension's own | 8081 to 8090 |
/// | `types` | `types(platform, function, extension)`, or some of them ([`TelemetryType`]) | known, each once, one at least |
///
/// A script name is documented on pages 2705 and 2707, the ports on 2707 and 2710, the types on 2710 (D).
///
/// # Cancel safety
///
/// After its `timeout` a handler is dropped at the `.await` where it waits, and the platform is answered with status
/// 500 and `errorInfo`. What must not be left half done belongs between two `.await`s, or into a task of its own. A
/// handler that blocks the thread instead of waiting cannot be dropped, nor can its timeout pass meanwhile.
///
/// # A crate of another name
///
/// Generated code names `::fg_extension`. Where the crate has another name, or is re-exported (itself, or all of it by
/// `*`), `crate` says so:
///
/// ```no_run
/// mod sdk {
///     pub use fg_extension::*;
/// }
/// use sdk::{Invocation, extension};
///
/// #[extension(name = "extensionHello.sh", port = 8081, crate = sdk)]
/// async fn hello(_: Invocation) {}
/// ```
pub use fg_extension_macros::extension;

/// What generated code names. Not part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use ::std::module_path;
    pub use ::std::option::Option;
    pub use ::std::process::ExitCode;
    pub use ::std::result::Result;
    pub use ::std::time::Duration;
    pub use ::std::vec::Vec;

    pub use crate::lifecycle::entry::{assert_root, main, main_with_telemetry};
    pub use crate::macro_support::{DefaultInit, IntoHandlerResult, IntoInitResult, Parameter};
    pub use crate::{
        Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
        TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType,
    };
}
