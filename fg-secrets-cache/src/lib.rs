//! A cache of secrets beside a function of Huawei Cloud FunctionGraph.
//!
//! An extension with this cache serves secrets over HTTP on the loopback interface: the function sends
//! `GET http://127.0.0.1:2773/secrets/NAME`, and the cache fetches the value from a file, an HTTP endpoint, Huawei Cloud CSMS
//! or a custom [`Source`], and keeps it in memory.
//!
//! ```no_run
//! use fg_extension::{Error, Invocation, extension};
//! use fg_secrets_cache::SecretsCache;
//!
//! struct Secrets {
//!     cache: SecretsCache,
//! }
//!
//! #[extension(name = "extensionSecrets.sh", port = 8089)]
//! impl Secrets {
//!     #[init]
//!     async fn start() -> Result<Self, Error> {
//!         Ok(Self { cache: SecretsCache::init().await? })
//!     }
//!
//!     #[invoke]
//!     async fn on_invoke(&self, _: Invocation) {
//!         self.cache.invoke();
//!     }
//!
//!     #[shutdown]
//!     async fn stop(&self) {
//!         self.cache.shutdown().await;
//!     }
//! }
//! ```
//!
//! The settings, the HTTP interface, and what the token protects against are described in the book, on the page "Secrets".
//!
//! # Values in memory
//!
//! The memory of a value is overwritten with zeros when the value is replaced, removed or no longer sent, also in the
//! response. These copies are not overwritten: those in the buffers of the kernel, of TLS and of the HTTP client while a value
//! is fetched, and those in the function. Values never appear in log lines, error messages and `Debug` output.

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

mod cache;
mod clock;
mod config;
#[cfg(test)]
mod fake_source;
mod percent;
mod secrets_cache;
mod server;
mod source;
mod store;
mod token;

pub use secrets_cache::SecretsCache;
pub use source::{Fetched, InvalidSecretName, SecretName, Source, SourceError};

/// The target of log lines, which is shorter than the path of a module.
const TARGET: &str = "fg_secrets_cache";
