//! The settings of the cache. Those of a source are in its module.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use fg_extension::{Error, Setting};
use fg_util::duration;
use fg_util::secrets::{
    ADDRESS_SETTING, DEFAULT_ADDRESS, DEFAULT_TOKEN_FILE, NAME_HINT, TOKEN_FILE_SETTING,
    TOKEN_SETTING, parse_address,
};
use fg_util::setting::parse_duration;

use crate::source::SecretName;
use crate::store::Lifetimes;
use crate::token::{self, TokenConfig};

const DEFAULT_TTL: Duration = Duration::from_secs(300);
const DEFAULT_STALE: Duration = Duration::from_secs(3600);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings that do not depend on the source.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) address: SocketAddr,
    pub(crate) token: TokenConfig,
    pub(crate) lifetimes: Lifetimes,
    /// The time limit for a fetch.
    pub(crate) timeout: Duration,
    /// What is fetched before it is requested.
    pub(crate) prefetch: Vec<SecretName>,
}

impl Config {
    /// Reads the settings, which `lookup` looks up.
    ///
    /// # Errors
    ///
    /// Returns an error for the first setting that is invalid.
    pub(crate) fn read(
        lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Self, Error> {
        let duration = |name: &str, range: RangeInclusive<Duration>, default: Duration| {
            let setting = lookup(name)?;
            let duration = setting.map(|setting| parse_duration(&setting, range));
            Ok::<_, Error>(duration.transpose()?.unwrap_or(default))
        };
        let token = match (lookup(TOKEN_SETTING)?, lookup(TOKEN_FILE_SETTING)?) {
            (Some(token), _) => token::parse(token)?,
            (None, Some(file)) => TokenConfig::File(parse_path(&file)?),
            (None, None) => TokenConfig::File(DEFAULT_TOKEN_FILE.into()),
        };
        let address = lookup(ADDRESS_SETTING)?.map(|setting| parse_address(&setting));
        let second = Duration::from_secs(1);
        Ok(Self {
            address: address.transpose()?.unwrap_or(DEFAULT_ADDRESS),
            token,
            lifetimes: Lifetimes {
                ttl: duration("FG_SECRETS_TTL", second..=duration::MAX, DEFAULT_TTL)?,
                stale: duration(
                    "FG_SECRETS_STALE",
                    Duration::ZERO..=duration::MAX,
                    DEFAULT_STALE,
                )?,
            },
            timeout: duration(
                "FG_SECRETS_TIMEOUT",
                Duration::from_millis(10)..=Duration::from_secs(60),
                DEFAULT_TIMEOUT,
            )?,
            prefetch: match lookup("FG_SECRETS_PREFETCH")? {
                Some(setting) => parse_names(&setting)?,
                None => Vec::new(),
            },
        })
    }
}

/// Parses a path. The working directory of an extension is not known (?), and that of the function may be different.
///
/// # Errors
///
/// Returns an error if the path is relative.
pub(crate) fn parse_path(setting: &Setting) -> Result<PathBuf, Error> {
    let path = PathBuf::from(setting.value());
    match path.is_absolute() {
        true => Ok(path),
        false => Err(setting
            .invalid(
                "is not an absolute path",
                "write a path that starts with `/`",
            )
            .into()),
    }
}

fn parse_names(setting: &Setting) -> Result<Vec<SecretName>, Error> {
    let names = setting.value().split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(|name| {
            SecretName::new(name).map_err(|_| {
                let problem = format!("contains `{name}`, which is not the name of a secret");
                setting.invalid(&problem, NAME_HINT).into()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use fg_extension::SettingSource;

    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            let setting = settings.iter().find(|(it, _)| *it == name);
            Ok(setting
                .and_then(|(name, value)| Setting::new(name, value, SettingSource::Environment)))
        };
        Config::read(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_have_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.address, DEFAULT_ADDRESS);
        assert!(
            matches!(config.token, TokenConfig::File(path) if path.to_str() == Some(DEFAULT_TOKEN_FILE))
        );
        assert_eq!(config.lifetimes.ttl, DEFAULT_TTL);
        assert_eq!(config.prefetch, []);
    }

    #[test]
    fn settings_are_read() {
        let token = "hunter2hunter2hunter2";
        let config = read(&[
            ("FG_SECRETS_ADDRESS", "127.0.0.1:1"),
            ("FG_SECRETS_TOKEN", token),
            ("FG_SECRETS_TTL", "1s"),
            ("FG_SECRETS_STALE", "0s"),
            ("FG_SECRETS_TIMEOUT", "100ms"),
            ("FG_SECRETS_PREFETCH", "db/password, api-key,"),
        ])
        .unwrap();
        assert_eq!(config.address.port(), 1);
        assert_eq!(config.lifetimes.ttl, Duration::from_secs(1));
        assert_eq!(config.lifetimes.stale, Duration::ZERO);
        assert_eq!(config.timeout, Duration::from_millis(100));
        let names: Vec<_> = config.prefetch.iter().map(SecretName::as_str).collect();
        assert_eq!(names, ["db/password", "api-key"]);
        assert!(!format!("{config:?}").contains(token));
    }

    #[test]
    fn invalid_setting_is_named() {
        for (name, value, problem) in [
            (
                "FG_SECRETS_TOKEN_FILE",
                "token",
                "the value is not an absolute path; write a path that starts with `/`",
            ),
            (
                "FG_SECRETS_TTL",
                "0s",
                "`0s` is not a duration from 1s to 1h",
            ),
            (
                "FG_SECRETS_STALE",
                "2h",
                "`2h` is not a duration from 0s to 1h",
            ),
            (
                "FG_SECRETS_TIMEOUT",
                "2m",
                "`2m` is not a duration from 10ms to 60s",
            ),
            (
                "FG_SECRETS_PREFETCH",
                "a,b c",
                "contains `b c`, which is not the name of a secret; a name has",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(problem), "{error}");
        }
    }
}
