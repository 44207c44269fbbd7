//! The settings, read once from the environment.

mod platform_address;
mod port;
mod values;

use std::ffi::OsString;
use std::time::Duration;

pub(crate) use platform_address::PlatformAddress;
use port::choose_port;
use values::{parse_bytes, parse_duration};

use crate::telemetry::Overflow;
use crate::{ExtensionName, Port, RunError, Subscription, TelemetryType};
use fg_util::error::one_line;

pub(crate) struct Config {
    pub(crate) platform: PlatformAddress,
    pub(crate) port: Port,
    pub(crate) register_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// Of an extension that subscribes.
    pub(crate) telemetry: Option<TelemetryConfig>,
    /// What the platform may leave out of its answer to the registration.
    pub(crate) function_name: Option<String>,
    pub(crate) function_version: Option<String>,
    #[cfg(feature = "log")]
    pub(crate) log: tracing::level_filters::LevelFilter,
}

pub(crate) struct TelemetryConfig {
    pub(crate) port: Port,
    pub(crate) types: &'static [TelemetryType],
    /// In bytes.
    pub(crate) buffer: usize,
    pub(crate) overflow: Overflow,
    pub(crate) timeout: Duration,
}

impl Config {
    /// The settings of the extension with this name, compiled port and subscription.
    pub(crate) fn from_env(
        name: ExtensionName,
        port: Port,
        subscription: Option<Subscription>,
    ) -> Result<Self, RunError> {
        Self::read(name, port, subscription, std::env::var_os)
    }

    fn read(
        name: ExtensionName,
        compiled_port: Port,
        subscription: Option<Subscription>,
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
        let chosen_port = |setting| match set(setting)? {
            Some(value) => choose_port(setting, &value, name),
            None => Ok(None),
        };
        let platform = match set("EXTENSION_API_ADDR")? {
            Some(value) => PlatformAddress::parse(&value)?,
            None => return Err(no_platform()),
        };
        let port = chosen_port("FG_EXTENSION_PORT")?.unwrap_or(compiled_port);
        let telemetry = |subscription: Subscription| -> Result<TelemetryConfig, RunError> {
            // One that shares the extension's port goes where that goes.
            let default_port = if subscription.port() == compiled_port {
                port
            } else {
                subscription.port()
            };
            Ok(TelemetryConfig {
                port: chosen_port("FG_TELEMETRY_PORT")?.unwrap_or(default_port),
                types: subscription.types(),
                buffer: match set("FG_TELEMETRY_BUFFER")? {
                    Some(value) => parse_bytes(&value).ok_or_else(|| {
                        bad(
                            "FG_TELEMETRY_BUFFER",
                            &value,
                            "is no number of bytes",
                            "write it as `512KiB`, `4MiB` or `4194304`",
                        )
                    })?,
                    None => 4 << 20,
                },
                overflow: match set("FG_TELEMETRY_OVERFLOW")? {
                    None => Overflow::Refuse,
                    Some(value) if value.eq_ignore_ascii_case("refuse") => Overflow::Refuse,
                    Some(value) if value.eq_ignore_ascii_case("drop-oldest") => {
                        Overflow::DropOldest
                    }
                    Some(value) => {
                        return Err(bad(
                            "FG_TELEMETRY_OVERFLOW",
                            &value,
                            "is not known",
                            "write `refuse` or `drop-oldest`",
                        ));
                    }
                },
                timeout: duration(
                    "FG_TELEMETRY_TIMEOUT",
                    Duration::from_secs(30),
                    Duration::from_millis(1),
                )?,
            })
        };

        Ok(Self {
            platform,
            port,
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
            telemetry: subscription.map(telemetry).transpose()?,
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
mod tests;
