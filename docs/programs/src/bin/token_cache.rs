//! Caches a token from a file for a minute. The age is measured by the wall clock, because a timer may stand still while
//! the instance is frozen.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fg_extension::{Error, Invocation, extension, setting};
use tokio::sync::Mutex;

const MAX_AGE: Duration = Duration::from_secs(60);

struct TokenCache {
    file: PathBuf,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    read_at: SystemTime,
}

#[extension(name = "extensionTokenCache.sh", port = 8086)]
impl TokenCache {
    #[init]
    async fn new() -> Result<Self, Error> {
        let file = setting("TOKEN_FILE")?.ok_or("TOKEN_FILE is not set")?;
        Ok(Self {
            file: file.value().into(),
            token: Mutex::default(),
        })
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        let token = self.token(SystemTime::now()).await?;
        println!("{} uses {token}", invocation.trace_id);
        Ok(())
    }

    /// Returns the token, which is at most a minute old.
    async fn token(&self, now: SystemTime) -> Result<String, Error> {
        let mut token = self.token.lock().await;
        match &*token {
            Some(token) if token.is_fresh(now) => Ok(token.text.clone()),
            _ => {
                // A small local file: reading it does not block the thread for long.
                let text = std::fs::read_to_string(&self.file)?;
                *token = Some(Token {
                    text: text.clone(),
                    read_at: now,
                });
                Ok(text)
            }
        }
    }
}

impl Token {
    /// Returns whether the token is less than a minute old. It is not fresh if the wall clock was set back, because then
    /// its age is unknown.
    fn is_fresh(&self, now: SystemTime) -> bool {
        now.duration_since(self.read_at)
            .is_ok_and(|age| age < MAX_AGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_fresh_for_a_minute() {
        let read_at = SystemTime::now();
        let token = Token {
            text: "secret".to_owned(),
            read_at,
        };
        assert!(token.is_fresh(read_at + MAX_AGE / 2));
        // For example, after the instance was frozen for an hour.
        assert!(!token.is_fresh(read_at + Duration::from_secs(3600)));
        assert!(!token.is_fresh(read_at - Duration::from_secs(1)));
    }
}
