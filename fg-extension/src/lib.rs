//! A framework for writing extensions of Huawei Cloud FunctionGraph.
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
//! This is a complete program. The [`#[extension]`](macro@extension) attribute generates a `main` that starts an HTTP
//! server on `127.0.0.1:8081`, registers with the platform, calls `hello` for each invocation, and shuts down cleanly
//! on SIGTERM.
//!
//! # What is an extension?
//!
//! An extension is a process that runs next to a function, in the same instance: a telemetry forwarder, a secrets
//! cache, a security agent. It registers with the platform over HTTP. From then on, the platform posts each invocation
//! of the function to the extension's own HTTP server.
//!
//! # Getting started
//!
//! - To handle each invocation, put [`#[extension]`](macro@extension) on an `async fn`, as above.
//! - To keep state, receive telemetry, or run code at shutdown, put it on an `impl` block. See the
//!   [attribute's documentation](macro@extension) for an example.
//! - To write your own `main`, implement [`Extension`](trait@Extension) and call [`run`](fn@run). For an extension that
//!   receives telemetry, also implement [`TelemetryHandler`] and call [`run_with_telemetry`].
//!
//! # Settings
//!
//! An extension reads its settings once, at start-up: from environment variables, else from `RUNTIME_USERDATA`, else from a
//! file beside the program. [`setting`] looks up settings of your own in the same way. An empty value counts as unset. If a
//! value is invalid, [`run`](fn@run) returns an error that names the setting and where it came from, and the generated
//! `main` exits with status 1.
//!
//! FunctionGraph itself sets `EXTENSION_API_ADDR`, the address of its API. All other settings are optional:
//!
//! - `FG_EXTENSION_PORT` overrides the port of the extension's server, and `FG_TELEMETRY_PORT` the port that telemetry
//!   is posted to.
//! - `FG_REGISTER_TIMEOUT` and `FG_SHUTDOWN_TIMEOUT` limit the duration of the registration and of the shutdown.
//! - `FG_TELEMETRY_BUFFER` limits how many bytes of telemetry are buffered, and `FG_TELEMETRY_TIMEOUT` how long the
//!   delivery of a batch is retried.
//! - `FG_LOG` sets the level of the log lines on stderr.
//!
//! The settings reference in the book lists their defaults and the values that they accept.
//!
//! # Feature flags
//!
//! - `stderr-log` (enabled by default) installs a small [`tracing`](https://docs.rs/tracing) subscriber that writes the
//!   runtime's log lines to stderr, unless the process already has a global subscriber.
//! - `dlmalloc` installs the allocator of the crate [`dlmalloc`](https://docs.rs/dlmalloc) as the global allocator on musl
//!   targets, where it is faster than the standard one. It has no effect on other targets. Do not enable it in a program
//!   that has a `#[global_allocator]` of its own.
//!
//! The runtime logs through `tracing`. Without `stderr-log` and without a subscriber of your own, nothing is logged and
//! `FG_LOG` is not read.
//!
//! # What is known about the platform
//!
//! Facts about the platform carry a mark in this documentation:
//!
//! - **D**: documented on the page with that number. Page 2707, for example, is `functiongraph_06_2707` of Huawei
//!   Cloud's *FunctionGraph API reference*.
//! - **I**: inferred.
//! - **?**: unknown. The runtime works either way.

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

// First, since the other modules use their macros.
#[macro_use]
mod log;
#[macro_use]
mod process_static;

#[cfg(all(feature = "dlmalloc", target_env = "musl"))]
mod allocator;
mod config;
mod error;
mod extension;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod json;
mod lifecycle;
mod macro_support;
mod net;
mod panics;
mod platform;
mod run;
mod script_name_marker;
#[cfg(test)]
mod simulation;
mod telemetry;
mod types;

pub use config::setting;
pub use error::{Error, RunError};
pub use extension::{Extension, TelemetryHandler};
#[doc(inline)]
pub use fg_util::setting::{Setting, SettingSource};
pub use run::{run, run_with_telemetry};
pub use telemetry::{
    LogEvent, Metrics, PlatformEvent, PlatformEventKind, Subscription, TelemetryCounters,
    TelemetryEvent, TelemetryType, Timestamp, UnknownEvent,
};
pub use types::{
    ExtensionName, FunctionUrn, InvalidExtensionName, InvalidPort, Invocation, Port, Registration,
};

/// Turns an `async fn` or an `impl` block into an extension, and generates its `main`.
///
/// The attribute implements [`Extension`](trait@Extension), and [`TelemetryHandler`] if there is a `#[telemetry]`
/// method. The generated `main` runs the extension on a single-threaded tokio runtime. Its exit status is 0 after a
/// clean shutdown; otherwise it prints an error message to stderr and exits with status 1.
///
/// The annotated item belongs in the crate root, usually `main.rs`: in a module, it does not compile. In the root of a
/// library crate it implements the trait, but the generated `main` is never called.
///
/// # Functions
///
/// ```no_run
/// use fg_extension::{Error, Invocation, extension};
///
/// #[extension(name = "extensionHello.sh", port = 8081)]
/// async fn hello(invocation: Invocation) -> Result<(), Error> {
///     let name = invocation.invoked_function_urn.name().ok_or("unknown form of URN")?;
///     println!("{name} was invoked");
///     Ok(())
/// }
/// ```
///
/// The function is called for each invocation, like [`Extension::invoke`]. It takes an [`Invocation`] and returns `()`
/// or `Result<(), E>`, where `E` is any type that converts into [`Error`]: any standard error, or a string. The
/// attribute leaves the function in place, so that tests can call it. The exception is a function named `main`, which
/// moves into the generated one.
///
/// # Impl blocks
///
/// Use an `impl` block for an extension with state, telemetry, or code that runs at shutdown. Attributes assign roles
/// to its methods; other methods and associated constants are left unchanged.
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
///         println!("function: {:?}", registration.function_name);
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
///     async fn close(&self) -> Result<(), Error> {
///         self.send("shutdown").await
///     }
///
///     async fn send(&self, line: &str) -> Result<(), Error> {
///         self.collector.send(line.as_bytes()).await?;
///         Ok(())
///     }
/// }
/// ```
///
/// Each attribute makes its method the implementation of a trait method, where its behavior is documented:
///
/// - `#[init]`, [`Extension::init`]: `async fn(&Registration) -> Self`, or `-> Result<Self, E>`. The parameter is
///   optional. Without this method, the extension is created with [`Default::default`].
/// - `#[invoke]`, [`Extension::invoke`]: `async fn(&self, Invocation)`. Without it, the extension responds to
///   invocations with status 200.
/// - `#[telemetry(port = …, types(…))]`, [`TelemetryHandler::telemetry`]:
///   `async fn(&self, Vec<TelemetryEvent>, &TelemetryCounters)`. The last parameter is optional. Without this method,
///   the extension does not subscribe to telemetry.
/// - `#[shutdown]`, [`Extension::shutdown`]: `async fn(&self)`. Without it, no code of yours runs at shutdown.
///
/// The last three return `()` or `Result<(), E>`. At least one of `#[invoke]` and `#[telemetry]` is required. Each
/// attribute may appear once; several methods may have it if `#[cfg]` enables at most one of them.
///
/// # Arguments
///
/// Arguments are checked at compile time. The arguments of `#[extension]` are:
///
/// - `name`: the complete file name of the start script, as a string literal. See [`ExtensionName`] for the rules.
/// - `port`: the port of the extension's HTTP server, 8081 to 8090. A literal, a constant (including `Self::PORT`), or
///   a constant expression of type `u16`.
/// - `timeout` (optional): the maximum duration of an invocation, such as `"500ms"`, `"2s"` or `"1m"`. From 1ms to 1h,
///   rounded down to whole milliseconds.
/// - `crate` (optional): the path of this crate, if it is not `::fg_extension`.
///
/// The arguments of `#[telemetry]` are:
///
/// - `port`: the port that telemetry is posted to, 8081 to 8090. It may be the extension's own port.
/// - `types`: the [telemetry types](TelemetryType) to subscribe to: `platform`, `function`, `extension`, or several of
///   them.
///
/// Script names are documented on pages 2705 and 2707, ports on 2707 and 2711, and telemetry types on 2712 (D).
///
/// # Cancel safety
///
/// When an invocation exceeds its `timeout`, its handler is dropped at the `.await` where it is suspended, and the
/// extension responds with status 500 and `errorInfo`. The same happens during a shutdown to an invocation that does not
/// finish in time. Avoid an `.await` in the middle of work that must not be left half done, or move that work to a task
/// of its own with `tokio::spawn`. A handler that blocks the thread cannot be dropped; if it returns after its timeout, the
/// response has status 500 all the same.
///
/// # Renamed crates
///
/// Generated code refers to this crate as `::fg_extension`. If you renamed the crate, or re-export it from another one,
/// pass its path as `crate`:
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

/// The items that generated code refers to.
///
/// Not part of the public API: they change without notice.
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
