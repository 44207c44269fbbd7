//! A setting: its value, where the value came from, and the error message about an invalid one.

mod secret;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use self::secret::around_password;
pub use self::secret::{has_password, is_secret};
use crate::error::one_line;
use crate::{duration, size};

/// A setting that has a value.
///
/// Its `Debug` output and its error messages do not contain the value if [the name looks secret](is_secret).
#[derive(Clone, Eq, PartialEq)]
pub struct Setting {
    name: String,
    value: String,
    source: SettingSource,
}

/// Where the value of a setting came from.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SettingSource {
    /// An environment variable.
    Environment,
    /// The JSON object in `RUNTIME_USERDATA`, which contains what a user sets in the function's console (D, custom
    /// runtimes).
    UserData,
    /// The file beside the program, with this name.
    File(String),
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "the environment",
            Self::UserData => "RUNTIME_USERDATA",
            Self::File(name) => name,
        })
    }
}

impl Setting {
    /// Returns the setting with the trimmed value, or `None` if the value is empty.
    #[must_use]
    pub fn new(name: &str, value: &str, source: SettingSource) -> Option<Self> {
        let value = value.trim();
        (!value.is_empty()).then(|| Self {
            name: name.to_owned(),
            value: value.to_owned(),
            source,
        })
    }

    /// Returns the name, such as `FG_LOG`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value. It is not empty, and has no white space at its start and end.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the value, as [`value`](Self::value) does.
    #[must_use]
    pub fn into_value(self) -> String {
        self.value
    }

    /// Returns where the value came from.
    #[must_use]
    pub fn source(&self) -> &SettingSource {
        &self.source
    }

    /// Returns the error message about an invalid value, in one line.
    ///
    /// `problem` is a phrase that follows the value, such as "is not a level", and `hint` describes what to write
    /// instead. The message does not contain the value if [the name looks secret](is_secret), and no user name and
    /// password of a URL.
    ///
    /// ```
    /// use fg_util::setting::{Setting, SettingSource};
    ///
    /// let setting = Setting::new("FG_LOG", "loud", SettingSource::Environment).unwrap();
    /// assert_eq!(
    ///     setting.invalid("is not a level", "write `warn`"),
    ///     "cannot read FG_LOG from the environment: `loud` is not a level; write `warn`"
    /// );
    /// let setting = Setting::new("API_TOKEN", "hunter2", SettingSource::UserData).unwrap();
    /// assert_eq!(
    ///     setting.invalid("has no `.`", "write the complete token"),
    ///     "cannot read API_TOKEN from RUNTIME_USERDATA: the value has no `.`; write the complete token"
    /// );
    /// ```
    #[must_use]
    #[cold]
    pub fn invalid(&self, problem: &str, hint: &str) -> String {
        let shown = self.shown();
        self.unreadable(&format!("{shown} {problem}; {hint}"))
    }

    /// Returns the error message about a setting that cannot be used, with a reason that does not contain the value.
    #[must_use]
    #[cold]
    pub fn unreadable(&self, reason: &str) -> String {
        let Self { name, source, .. } = self;
        one_line(&format!("cannot read {name} from {source}: {reason}"))
    }

    /// Returns the value as messages show it.
    #[cold]
    fn shown(&self) -> String {
        if is_secret(&self.name) {
            return "the value".to_owned();
        }
        match around_password(&self.value) {
            Some((scheme, host)) => format!("`{scheme}***{host}`"),
            None => format!("`{}`", self.value),
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("name", &self.name)
            .field("value", &self.shown())
            .field("source", &self.source)
            .finish()
    }
}

/// Parses a duration within a range.
///
/// # Errors
///
/// Returns an error message if the value is not a duration, or if it is out of range.
pub fn parse_duration(
    setting: &Setting,
    range: RangeInclusive<Duration>,
) -> Result<Duration, String> {
    duration::parse(&setting.value)
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| {
            let problem = format!(
                "is not a duration from {} to {}",
                duration::format(*range.start()),
                duration::format(*range.end())
            );
            setting.invalid(&problem, duration::HINT)
        })
}

/// Parses a number of bytes within a range.
///
/// # Errors
///
/// Returns an error message if the value is not a size, or if it is out of range.
pub fn parse_size(setting: &Setting, range: SizeRange) -> Result<usize, String> {
    size::parse(&setting.value)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| range.bytes.contains(bytes))
        .ok_or_else(|| setting.invalid(&format!("is not a size from {}", range.text), size::HINT))
}

/// The range of sizes that a setting accepts.
#[derive(Clone, Debug)]
pub struct SizeRange {
    /// The number of bytes.
    pub bytes: RangeInclusive<usize>,
    /// The range as it appears in error messages, such as `1KB to 1GiB`.
    pub text: &'static str,
}

/// Returns whether the platform itself sets a variable with this name, so that it is not a setting.
#[must_use]
pub fn is_set_by_platform(name: &str) -> bool {
    name == "EXTENSION_API_ADDR" || name.starts_with("RUNTIME_")
}

/// Parses a port number that consists of digits only.
///
/// Unlike [`str::parse`], it does not accept a leading `+`. Returns `None` if the string is not a port number.
#[must_use]
pub fn parse_port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting::new(name, value, SettingSource::Environment).unwrap()
    }

    #[test]
    fn value_is_trimmed_and_not_empty() {
        assert_eq!(setting("A", " b c\r\n").value(), "b c");
        assert_eq!(Setting::new("A", " \t", SettingSource::UserData), None);
    }

    #[test]
    fn error_message_contains_the_source_and_the_range() {
        let range = Duration::from_millis(1)..=duration::MAX;
        let parse = |value| parse_duration(&setting("FG_REGISTER_TIMEOUT", value), range.clone());
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(
            parse("0"),
            Err(
                "cannot read FG_REGISTER_TIMEOUT from the environment: `0` is not a duration from 1ms to 1h; \
                 write it as `500ms`, `10s` or `1m`"
                    .to_owned()
            )
        );

        let range = SizeRange {
            bytes: 1000..=1 << 30,
            text: "1KB to 1GiB",
        };
        let source = SettingSource::File("hello.env".to_owned());
        let parse = |value| {
            let setting = Setting::new("FG_TELEMETRY_BUFFER", value, source.clone());
            parse_size(&setting.unwrap(), range.clone())
        };
        assert_eq!(parse("1.5MiB"), Ok(1_572_864));
        assert_eq!(
            parse("10\nTB"),
            Err(
                "cannot read FG_TELEMETRY_BUFFER from hello.env: `10\\nTB` is not a size from 1KB to 1GiB; \
                 write it as `512KiB`, `4MiB` or `4194304`"
                    .to_owned()
            )
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("DATABASE_URL", "postgres://me:hunter2@db/x"),
        ] {
            let setting = setting(name, value);
            for text in [setting.invalid("is bad", "fix it"), format!("{setting:?}")] {
                assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
            }
        }
    }

    #[test]
    fn port_consists_of_digits() {
        assert_eq!(parse_port("8081"), Some(8081));
        for text in ["", "+8081", " 8081", "65536", "80a"] {
            assert_eq!(parse_port(text), None, "{text}");
        }
    }
}
