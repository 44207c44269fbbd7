//! The settings, read once from the environment.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::error::one_line;
use crate::{ExtensionName, Port, RunError};

pub(crate) struct Config {
    pub(crate) platform: PlatformAddress,
    pub(crate) port: Port,
    pub(crate) register_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// What the platform may leave out of its answer to the registration.
    pub(crate) function_name: Option<String>,
    pub(crate) function_version: Option<String>,
    #[cfg(feature = "log")]
    pub(crate) log: tracing::level_filters::LevelFilter,
}

/// Where the registration API is: `EXTENSION_API_ADDR`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlatformAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Config {
    /// The settings of the extension with this name and compiled port.
    pub(crate) fn from_env(name: ExtensionName, port: Port) -> Result<Self, RunError> {
        Self::read(name, port, std::env::var_os)
    }

    fn read(
        name: ExtensionName,
        port: Port,
        variable: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Self, RunError> {
        let set = |name: &'static str| -> Result<Option<String>, RunError> {
            match variable(name).map(OsString::into_string) {
                None => Ok(None),
                Some(Ok(value)) => {
                    Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty()))
                }
                Some(Err(value)) => Err(bad(
                    name,
                    &value.to_string_lossy(),
                    "is not UTF-8",
                    "write it in UTF-8",
                )),
            }
        };
        let duration = |name, default, least: Duration| match set(name)? {
            Some(value) => parse_duration(&value)
                .filter(|duration| *duration >= least)
                .ok_or_else(|| {
                    let least = if least.is_zero() { "0s" } else { "1ms" };
                    let why = format!("is not a duration from {least} to 1h");
                    bad(name, &value, &why, "write it as `500ms`, `10s` or `1m`")
                }),
            None => Ok(default),
        };

        Ok(Self {
            platform: match set("EXTENSION_API_ADDR")? {
                Some(value) => PlatformAddress::parse(&value)?,
                None => return Err(no_platform()),
            },
            port: match set("FG_EXTENSION_PORT")? {
                Some(value) => choose_port(&value, name)?.unwrap_or(port),
                None => port,
            },
            register_timeout: duration(
                "FG_REGISTER_TIMEOUT",
                Duration::from_secs(10),
                Duration::from_millis(1),
            )?,
            shutdown_timeout: duration(
                "FG_SHUTDOWN_TIMEOUT",
                Duration::from_secs(2),
                Duration::ZERO,
            )?,
            // These are the function's own variables, so one that cannot be read is as good as none.
            function_name: set("RUNTIME_FUNC_NAME").unwrap_or(None),
            function_version: set("RUNTIME_FUNC_VERSION").unwrap_or(None),
            #[cfg(feature = "log")]
            log: match set("FG_LOG")? {
                Some(value) => value.parse().map_err(|_| {
                    bad(
                        "FG_LOG",
                        &value,
                        "is not a level",
                        "write `off`, `error`, `warn`, `info`, `debug` or `trace`",
                    )
                })?,
                None => tracing::level_filters::LevelFilter::WARN,
            },
        })
    }
}

impl PlatformAddress {
    fn parse(value: &str) -> Result<Self, RunError> {
        let address = match value.split_at_checked("http://".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http://") => rest,
            _ => value,
        };
        let address = address.trim_end_matches('/');
        address
            .rsplit_once(':')
            .and_then(|(host, port)| {
                Some(Self {
                    host: host.to_owned(),
                    port: parse_port(port)?,
                })
            })
            .filter(|address| address.is_plausible())
            .ok_or_else(|| {
                bad(
                    "EXTENSION_API_ADDR",
                    value,
                    "is not `host:port`",
                    "write it as in `127.0.0.1:9001`",
                )
            })
    }

    /// A name, an IPv4 address or an IPv6 address in brackets; a second `:` elsewhere means something is missing.
    fn is_plausible(&self) -> bool {
        let host = match self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) => return inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => self.host.as_bytes(),
        };
        let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        self.port != 0 && !host.is_empty() && host.iter().all(is_host_byte)
    }

    /// The host as the resolver takes it, without brackets.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for PlatformAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The port that `FG_EXTENSION_PORT` gives to the extension `name`, if it gives it one.
///
/// A function's environment is shared by all its extensions, so the value may be a list by script name.
fn choose_port(value: &str, name: ExtensionName) -> Result<Option<Port>, RunError> {
    let bad = |why: &str| {
        Err(bad(
            "FG_EXTENSION_PORT",
            value,
            why,
            &format!(
                "write a port from 8081 to 8090, as in `8085` or `{name}=8085,extensionOther.sh=8086`"
            ),
        ))
    };
    let port = |text: &str| parse_port(text).and_then(Port::checked);

    if !value.contains('=') {
        return match port(value) {
            Some(port) => Ok(Some(port)),
            None => bad("is not a port from 8081 to 8090"),
        };
    }
    // A list is judged as a whole: half of one may be what somebody meant for us.
    let mut chosen = None;
    for entry in value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let Some((script, text)) = entry.split_once('=') else {
            return bad(&format!("has an entry without `=`, `{entry}`"));
        };
        let script = script.trim();
        if !(script.starts_with("extension") && script.ends_with(".sh")) {
            return bad(&format!(
                "has an entry for `{script}`, which is no script name like `{name}`"
            ));
        }
        let Some(port) = port(text.trim()) else {
            return bad(&format!("gives {script} no port from 8081 to 8090"));
        };
        if script == name.as_str() && chosen.replace(port).is_some_and(|other| other != port) {
            return bad(&format!("gives {name} two ports"));
        }
    }
    Ok(chosen)
}

/// Digits only: `u16::from_str` takes a `+` too.
fn parse_port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// `500ms`, `10s`, `1.5s`, `1m`, or a number of seconds; up to an hour.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?;
    (duration <= Duration::from_secs(3600)).then_some(duration)
}

fn no_platform() -> RunError {
    RunError::setting(
        "EXTENSION_API_ADDR is not set, so there is no platform to register with: \
         FunctionGraph sets it, and on your machine `cargo fg dev` does"
            .to_owned(),
    )
}

fn bad(name: &str, value: &str, why: &str, what_to_do: &str) -> RunError {
    RunError::setting(one_line(&format!(
        "{name} is `{value}`, which {why}: {what_to_do}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: ExtensionName = ExtensionName::new("extensionHello.sh");

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(NAME, Port::new(8081), |name| {
            let value = variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| *value);
            value
                .or((name == "EXTENSION_API_ADDR").then_some("127.0.0.1:9001"))
                .map(OsString::from)
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn platform_address_is_read_liberally() {
        for (value, host, port) in [
            ("127.0.0.1:9001", "127.0.0.1", 9001),
            ("http://127.0.0.1:9001/", "127.0.0.1", 9001),
            ("HTTP://localhost:80", "localhost", 80),
            (" fg-api.internal:9001// ", "fg-api.internal", 9001),
            ("http://[::1]:9001", "::1", 9001),
        ] {
            let platform = read(&[("EXTENSION_API_ADDR", value)]).unwrap().platform;
            assert_eq!((platform.host(), platform.port), (host, port), "{value}");
        }
        for value in [
            "127.0.0.1",
            "localhost:",
            ":9001",
            "https://a:1",
            "a:b:1",
            "a:70000",
            "a:+1",
            "a b:1",
            "a:0",
            "x/y:1",
        ] {
            let error = read(&[("EXTENSION_API_ADDR", value)]).err().unwrap();
            assert_eq!(
                error,
                format!(
                    "EXTENSION_API_ADDR is `{value}`, which is not `host:port`: write it as in `127.0.0.1:9001`"
                )
            );
        }
    }

    #[test]
    fn platform_address_is_needed() {
        for unset in ["", "  "] {
            let error = read(&[("EXTENSION_API_ADDR", unset)]).err().unwrap();
            assert!(
                error.starts_with("EXTENSION_API_ADDR is not set")
                    && error.contains("`cargo fg dev`"),
                "{error}"
            );
        }
    }

    #[test]
    fn port_is_overridden_by_number_or_by_script_name() {
        for (value, port) in [
            ("", 8081),
            ("8085", 8085),
            (" 8090 ", 8090),
            ("extensionHello.sh=8085,extensionOther.sh=8086", 8085),
            ("extensionOther.sh=8086, extensionHello.sh = 8085,", 8085),
            ("extensionOther.sh=8086", 8081),
        ] {
            assert_eq!(
                read(&[("FG_EXTENSION_PORT", value)]).unwrap().port.get(),
                port,
                "{value}"
            );
        }
        for (value, why) in [
            ("8080", "is not a port from 8081 to 8090"),
            ("8091", "is not a port from 8081 to 8090"),
            ("-8085", "is not a port from 8081 to 8090"),
            ("eight", "is not a port from 8081 to 8090"),
            ("8085,8086", "is not a port from 8081 to 8090"),
            (
                "extensionHello.sh=80",
                "gives extensionHello.sh no port from 8081 to 8090",
            ),
            (
                "extensionHello.sh=8081,extensionHello.sh=8082",
                "gives extensionHello.sh two ports",
            ),
            (
                "8085,extensionOther.sh=8086",
                "has an entry without `=`, `8085`",
            ),
            (
                "extensionHello=8085",
                "has an entry for `extensionHello`, which is no script name like `extensionHello.sh`",
            ),
            (
                "=8085",
                "has an entry for ``, which is no script name like `extensionHello.sh`",
            ),
            (
                "extensionOther.sh=8086;extensionHello.sh=8085",
                "gives extensionOther.sh no port from 8081 to 8090",
            ),
        ] {
            let error = read(&[("FG_EXTENSION_PORT", value)]).err().unwrap();
            assert!(
                error.starts_with(&format!(
                    "FG_EXTENSION_PORT is `{value}`, which {why}: write a port"
                )),
                "{error}"
            );
        }
    }

    #[test]
    fn durations_have_units() {
        let read =
            |value| read(&[("FG_SHUTDOWN_TIMEOUT", value)]).map(|config| config.shutdown_timeout);
        for (value, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("1m", 60_000),
            ("3", 3_000),
            ("0s", 0),
            ("2 s", 2_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(read(value), Ok(Duration::from_millis(millis)), "{value}");
        }
        assert!(
            super::tests::read(&[("FG_REGISTER_TIMEOUT", "0s")])
                .err()
                .unwrap()
                .contains("from 1ms to 1h")
        );
        for value in [
            "soon",
            "-1s",
            "2h",
            "61m",
            "1e3s",
            "s",
            ".",
            "1.2.3s",
            "999999999999999999999s",
        ] {
            assert!(
                read(value)
                    .unwrap_err()
                    .starts_with(&format!("FG_SHUTDOWN_TIMEOUT is `{value}`")),
                "{value}"
            );
        }
    }

    #[cfg(feature = "log")]
    #[test]
    fn log_level_is_a_name() {
        assert_eq!(
            read(&[("FG_LOG", "Debug")]).unwrap().log,
            tracing::level_filters::LevelFilter::DEBUG
        );
        assert!(
            read(&[("FG_LOG", "loud")])
                .err()
                .unwrap()
                .contains("`off`, `error`, `warn`")
        );
    }

    #[cfg(unix)]
    #[test]
    fn value_that_is_not_utf8_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let variable = |_| Some(OsString::from_vec(vec![b'a', 0xff]));
        let error = Config::read(NAME, Port::new(8081), variable).err().unwrap();
        assert!(
            error.is_setting()
                && error
                    .to_string()
                    .contains("EXTENSION_API_ADDR is `a\u{fffd}`"),
            "{error}"
        );
    }
}
