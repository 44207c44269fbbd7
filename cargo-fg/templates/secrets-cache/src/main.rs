//! Gives the function secrets from a file, an HTTP endpoint or Huawei Cloud CSMS, and keeps them in memory.

use fg_extension::{Error, Invocation, extension};
use fg_secrets_cache::SecretsCache;

struct Secrets {
    cache: SecretsCache,
}

#[extension(name = "extensionSecretsCache.sh", port = 8089)]
impl Secrets {
    /// Called once, after the extension has registered. This starts the server for the function, and fetches the secrets
    /// in `FG_SECRETS_PREFETCH`.
    #[init]
    async fn start() -> Result<Self, Error> {
        Ok(Self {
            cache: SecretsCache::init().await?,
        })
    }

    /// Called once for each invocation of the function. This refreshes values that have expired during a freeze, without
    /// waiting for them.
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        self.cache.invoke();
    }

    /// Called once, at shutdown. This stops the server, and overwrites the values in memory.
    #[shutdown]
    async fn stop(&self) {
        self.cache.shutdown().await;
    }
}
