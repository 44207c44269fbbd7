//! Extensions for Huawei Cloud FunctionGraph, by one attribute.
//!
//! An extension is a process that lives beside a function in its instance. It registers with the
//! platform over HTTP, then the platform posts every invocation of the function to the extension's own
//! HTTP server. [`#[extension]`](macro@extension) on an `async fn` makes the whole program: `main`, the
//! listener, the registration, the invoke server, the orderly end and the exit code.
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
//! Who wants a `main` of their own, or state, implements [`Extension`] and calls [`run`].
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
//! | `FG_SHUTDOWN_TIMEOUT` | `2s` | how long what is in flight may take to finish at the end; `0s` does not wait |
//! | `FG_LOG` | `warn` | least level of the log lines on stderr: `off`, `error`, `warn`, `info`, `debug`, `trace` (feature `log`) |
//!
//! `RUNTIME_FUNC_NAME` and `RUNTIME_FUNC_VERSION`, which are the function's own (D), name the function where
//! the platform's answer to the registration does not.
//!
//! Durations are `500ms`, `10s`, `1.5s` or `1m`, a number without a unit is seconds; one hour at most.
//!
//! # What is known of the platform
//!
//! These docs mark facts about the platform: **D** is documented on the page named (numbers are those of
//! the pages of Huawei Cloud's *FunctionGraph API reference*, `functiongraph_06_27xx`), **I** is inferred,
//! **?** is unknown, and the runtime depends on neither answer.

mod body;
mod concurrent;
mod config;
mod entry;
mod error;
mod extension;
mod invocation;
#[cfg(feature = "log")]
mod log;
mod manifest;
mod name;
mod panics;
mod port;
mod register;
mod registration;
mod run;
mod server;
mod service;
mod signals;
mod signature;
mod telemetry;
mod urn;

pub use error::{Error, RunError};
pub use extension::Extension;
pub use invocation::Invocation;
pub use name::ExtensionName;
pub use port::Port;
pub use registration::Registration;
pub use run::run;
pub use telemetry::{Subscription, TelemetryEvent, TelemetryType};
pub use urn::FunctionUrn;

/// Makes an `async fn` the whole program of an extension.
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
/// into [`Error`]. It stays what it is, so tests can call it. Beside it the attribute generates
/// `main`, so it belongs into the crate's root, `main.rs`: listen, register, serve the invocations, end in
/// order; the exit status is 0, or 1 after a line on stderr that says what went wrong.
///
/// | argument | value | checked at compile time |
/// | --- | --- | --- |
/// | `name` | the complete file name of the start script, a string literal | begins with `extension`, ends in `.sh`, no `/`, printable ASCII, 255 bytes at most |
/// | `port` | the port of the extension's server: a literal, a constant or a constant expression of type `u16` | 8081 to 8090 |
pub use fg_extension_macros::extension;

/// What generated code names. Not part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use ::std::option::Option;
    pub use ::std::process::ExitCode;
    pub use ::std::result::Result;
    pub use ::std::time::Duration;
    pub use ::std::vec::Vec;

    pub use crate::entry::main;
    pub use crate::signature::{IntoExtension, IntoOutcome, Parameter, WithoutInit};
    pub use crate::{
        Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
        TelemetryEvent, TelemetryType,
    };
}
