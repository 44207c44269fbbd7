//! The parts of the extension: reads the settings, starts the server and the background task, and shuts both down.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fg_extension::Error;
use fg_util::secrets::ADDRESS_SETTING;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::TARGET;
use crate::cache::Cache;
use crate::config::Config;
use crate::server::{Server, Service, bind};
use crate::source::{self, BoxedSource, Source};
use crate::token::Token;

/// A cache of secrets with a local HTTP server.
///
/// Each method is named after the method of [`Extension`](fg_extension::Extension) that should call it.
///
/// The [crate-level documentation](crate) has an example. If this is dropped without [`shutdown`](Self::shutdown), the
/// server and all fetches are aborted.
pub struct SecretsCache {
    cache: Arc<Cache>,
    /// `None` if the address is in use.
    server: Option<Server>,
    background: Mutex<JoinSet<()>>,
}

impl SecretsCache {
    /// Creates a cache of the source that the settings name, and starts to serve requests.
    ///
    /// Waits until the secrets in `FG_SECRETS_PREFETCH` are fetched, or could not be, for at most `FG_SECRETS_TIMEOUT` for
    /// each 32 of them. If the address is in use, or no source is set, this only logs an error, because the function can
    /// work without secrets.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is invalid, if the file with the token cannot be written, or if there is no Tokio
    /// runtime.
    pub async fn init() -> Result<Self, Error> {
        let source = source::configured(&fg_extension::setting)?;
        Self::start(source).await
    }

    /// Creates a cache of a custom source, like [`init`](Self::init). The settings of the sources in this crate are not
    /// read.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`init`](Self::init).
    pub async fn with_source(source: impl Source) -> Result<Self, Error> {
        Self::start(Box::new(source)).await
    }

    async fn start(source: BoxedSource) -> Result<Self, Error> {
        Handle::try_current()?;
        let config = Config::read(&fg_extension::setting)?;
        let cache = Cache::new(source, config.lifetimes, config.timeout);
        let address = config.address;
        let server = match bind(address) {
            Ok(listener) => {
                let service = Service::new(Arc::clone(&cache), Token::create(config.token)?);
                Some(Server::start(listener, service))
            }
            Err(error) => {
                tracing::error!(
                    target: TARGET,
                    "cannot listen on {address}: {error}; the function gets no secrets; set {ADDRESS_SETTING} to another \
                     address, here and in the function"
                );
                None
            }
        };
        let mut background = JoinSet::new();
        background.spawn(Arc::clone(&cache).refresh_in_background());
        // Before the prefetch, so that everything is aborted if this future is dropped.
        let started = Self {
            cache,
            server,
            background: Mutex::new(background),
        };
        started.cache.prefetch(&config.prefetch).await;
        Ok(started)
    }

    /// Refreshes values that have expired during a freeze, in the background.
    pub fn invoke(&self) {
        self.cache.wake();
    }

    /// Closes the server, aborts all fetches, overwrites the values, and removes the file with the token. Takes at most
    /// 200 ms.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, what was not aborted by then is aborted when the cache is dropped.
    pub async fn shutdown(&self) {
        if let Some(server) = &self.server {
            server.shut_down().await;
        }
        let mut background = {
            let background = self.background.lock();
            std::mem::take(&mut *background.unwrap_or_else(PoisonError::into_inner))
        };
        background.shutdown().await;
        self.cache.shut_down().await;
    }
}

impl Drop for SecretsCache {
    /// Aborts the fetches. Each has a reference to the cache, so dropping that would not abort them.
    fn drop(&mut self) {
        drop(self.cache.abort());
    }
}

impl fmt::Debug for SecretsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsCache").finish_non_exhaustive()
    }
}
