//! Where secrets come from: the trait [`Source`], what it returns, and the sources of this crate.

mod client;
mod configured;
mod csms;
mod file;
mod http;
mod json;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fg_util::error::one_line;
use fg_util::secrets::{NAME_HINT, is_name};
use zeroize::Zeroizing;

pub(crate) use self::configured::configured;

/// A place that secrets are fetched from.
///
/// The cache calls [`fetch`](Self::fetch) when it needs a value, at most once at a time for each name, and limits how long
/// it may take. It handles panics like failures. Do not log values, and do not put them into error messages.
///
/// ```
/// use fg_secrets_cache::{Fetched, SecretName, Source, SourceError};
///
/// /// Reads secrets from environment variables.
/// struct Environment;
///
/// impl Source for Environment {
///     async fn fetch(&self, name: &SecretName) -> Result<Fetched, SourceError> {
///         let value = std::env::var(name.as_str()).map_err(|_| SourceError::not_found())?;
///         Ok(Fetched::new(value.into_bytes()))
///     }
/// }
/// ```
pub trait Source: Send + Sync + 'static {
    /// Fetches the current value of a secret.
    ///
    /// # Errors
    ///
    /// Each kind of [`SourceError`] has a different effect on the cache, so choose the one that applies.
    ///
    /// # Cancel safety
    ///
    /// The cache drops the future if it takes longer than `FG_SECRETS_TIMEOUT`, and at shutdown.
    fn fetch(&self, name: &SecretName)
    -> impl Future<Output = Result<Fetched, SourceError>> + Send;

    /// Returns whether the source now has another value than the one with this version, so that the cache fetches it before
    /// the time to live is over.
    ///
    /// The cache calls this for each request, and uses the value that it has if the response takes more than 200 ms. The
    /// default is `false`.
    fn has_changed(
        &self,
        name: &SecretName,
        version: Option<&str>,
    ) -> impl Future<Output = bool> + Send {
        let _ = (name, version);
        std::future::ready(false)
    }
}

/// A source of any type.
pub(crate) type BoxedSource = Box<dyn DynSource>;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Source`] with futures that are boxed, so that the cache does not depend on the type of its source.
pub(crate) trait DynSource: Send + Sync {
    fn fetch<'a>(&'a self, name: &'a SecretName) -> BoxFuture<'a, Result<Fetched, SourceError>>;

    fn has_changed<'a>(
        &'a self,
        name: &'a SecretName,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, bool>;
}

impl<S: Source> DynSource for S {
    fn fetch<'a>(&'a self, name: &'a SecretName) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(Source::fetch(self, name))
    }

    fn has_changed<'a>(
        &'a self,
        name: &'a SecretName,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, bool> {
        Box::pin(Source::has_changed(self, name, version))
    }
}

/// The name of a secret: 1 to 128 letters, digits, `_`, `.`, `-` and `/`, where no part between two `/` is empty, `.` or
/// `..`.
///
/// A name is not secret: it appears in log lines and error messages.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretName(Arc<str>);

impl SecretName {
    /// Returns the name.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is invalid.
    pub fn new(name: &str) -> Result<Self, InvalidSecretName> {
        match is_name(name) {
            true => Ok(Self(name.into())),
            false => Err(InvalidSecretName(())),
        }
    }

    /// Returns the name as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error about a string that cannot be the name of a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidSecretName(());

impl fmt::Display for InvalidSecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid name of a secret; {NAME_HINT}")
    }
}

impl std::error::Error for InvalidSecretName {}

/// A value that a [`Source`] has fetched.
///
/// The memory of the value is overwritten with zeros when it is dropped. `Debug` does not show the value.
pub struct Fetched {
    pub(crate) value: Zeroizing<Vec<u8>>,
    pub(crate) version: Option<String>,
}

impl Fetched {
    /// Returns a fetched value. Pass a `Zeroizing<Vec<u8>>` if the bytes are already in one.
    #[must_use]
    pub fn new(value: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self {
            value: value.into(),
            version: None,
        }
    }

    /// Sets the version of the value, which clients see in the header `X-Secret-Version`.
    ///
    /// The header is left out if the version contains characters that a header cannot have.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why a [`Source`] could not fetch a value.
///
/// The message is logged, and sent to the client, so it must not contain values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceError {
    kind: SourceErrorKind,
    message: String,
}

/// What went wrong, which determines what the cache does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SourceErrorKind {
    NotFound,
    Denied,
    Failed,
    TimedOut,
}

impl SourceError {
    /// The source has no secret with this name. The cache forgets the value, and responds with status 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(SourceErrorKind::NotFound, "the source has no such secret")
    }

    /// The source denies access to the secret. The cache forgets the value, and responds with status 502.
    #[must_use]
    pub fn denied(message: impl AsRef<str>) -> Self {
        Self::new(SourceErrorKind::Denied, message.as_ref())
    }

    /// The source failed, and another attempt may succeed. Until then, the cache responds with an expired value, or else
    /// with status 502.
    #[must_use]
    pub fn failed(message: impl AsRef<str>) -> Self {
        Self::new(SourceErrorKind::Failed, message.as_ref())
    }

    /// The source did not respond in time. This is like [`failed`](Self::failed), with status 504.
    #[must_use]
    pub fn timed_out(message: impl AsRef<str>) -> Self {
        Self::new(SourceErrorKind::TimedOut, message.as_ref())
    }

    fn new(kind: SourceErrorKind, message: &str) -> Self {
        Self {
            kind,
            message: one_line(message),
        }
    }

    pub(crate) fn kind(&self) -> SourceErrorKind {
        self.kind
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SourceError {}
