//! The settings of an extension, read once from environment variables.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod platform_address;
mod port_setting;
mod removed;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::time::Duration;

use fg_util::duration;
use fg_util::setting::{SizeRange, invalid, parse_duration, parse_size};

pub(crate) use platform_address::PlatformAddress;
use port_setting::choose_port;

use crate::{ExtensionName, Port, RunError, Subscription, TelemetryType};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The sizes that `FG_TELEMETRY_BUFFER` accepts.
const BUFFER_RANGE: SizeRange = SizeRange {
    bytes: 1..=1 << 30,
    text: "1B to 1GiB",
};

/// The settings of every extension.
pub(crate) struct Config {
    pub(crate) platform: PlatformAddress,
    pub(crate) port: Port,
    pub(crate) register_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// The fallback if the platform's response to the registration lacks the function's name.
    pub(crate) function_name: Option<String>,
    /// The fallback if the response lacks the function's version.
    pub(crate) function_version: Option<String>,
    #[cfg(feature = "stderr-log")]
    pub(crate) log: tracing::level_filters::LevelFilter,
    warnings: Vec<String>,
}

/// The settings of an extension that subscribes to telemetry.
pub(crate) struct TelemetryConfig {
    pub(crate) port: Port,
    pub(crate) types: &'static [TelemetryType],
    /// The size of the buffer in bytes.
    pub(crate) buffer: usize,
    pub(crate) timeout: Duration,
}

impl Config {
    /// Reads the settings of the extension with this name and compiled-in port.
    pub(crate) fn from_env(name: ExtensionName, port: Port) -> Result<Self, RunError> {
        Self::from_variables(std::env::var_os, name, port)
    }

    /// Does the same as [`from_env`](Self::from_env) with a function that returns the value of a variable.
    pub(crate) fn from_variables(
        variable: impl Fn(&'static str) -> Option<OsString>,
        name: ExtensionName,
        port: Port,
    ) -> Result<Self, RunError> {
        let environment = Environment(variable);
        environment.read(name, port).map_err(RunError::setting)
    }

    /// Logs the warnings about the settings. Call it once the `tracing` subscriber is installed.
    pub(crate) fn log_warnings(&self) {
        for warning in &self.warnings {
            warn!("{warning}");
        }
    }
}

impl TelemetryConfig {
    /// Reads the telemetry settings of the extension with this name, compiled-in port and other settings.
    pub(crate) fn from_env(
        name: ExtensionName,
        compiled_port: Port,
        subscription: Subscription,
        config: &Config,
    ) -> Result<Self, RunError> {
        Self::from_variables(std::env::var_os, name, compiled_port, subscription, config)
    }

    /// Does the same as [`from_env`](Self::from_env) with a function that returns the value of a variable.
    pub(crate) fn from_variables(
        variable: impl Fn(&'static str) -> Option<OsString>,
        name: ExtensionName,
        compiled_port: Port,
        subscription: Subscription,
        config: &Config,
    ) -> Result<Self, RunError> {
        let environment = Environment(variable);
        environment
            .read_telemetry(name, compiled_port, subscription, config)
            .map_err(RunError::setting)
    }
}

/// A function that returns the value of an environment variable.
struct Environment<F>(F);

impl<F: Fn(&'static str) -> Option<OsString>> Environment<F> {
    fn read(&self, name: ExtensionName, compiled_port: Port) -> Result<Config, String> {
        let platform = match self.get("EXTENSION_API_ADDR")? {
            Some(value) => PlatformAddress::parse(&value)?,
            None => return Err(missing_platform_address()),
        };
        let port = self
            .port("FG_EXTENSION_PORT", name)?
            .unwrap_or(compiled_port);
        Ok(Config {
            platform,
            port,
            register_timeout: self.duration(
                "FG_REGISTER_TIMEOUT",
                Duration::from_secs(10),
                MILLISECOND,
            )?,
            shutdown_timeout: self.duration(
                "FG_SHUTDOWN_TIMEOUT",
                Duration::from_secs(2),
                Duration::ZERO,
            )?,
            // These variables are set for the function, so an unreadable value counts as unset instead of being an
            // error.
            function_name: self.get("RUNTIME_FUNC_NAME").unwrap_or(None),
            function_version: self.get("RUNTIME_FUNC_VERSION").unwrap_or(None),
            #[cfg(feature = "stderr-log")]
            log: match self.get("FG_LOG")? {
                Some(value) => value.parse().map_err(|_| {
                    invalid(
                        "FG_LOG",
                        &value,
                        "is not a level",
                        "write `off`, `error`, `warn`, `info`, `debug` or `trace`",
                    )
                })?,
                None => tracing::level_filters::LevelFilter::WARN,
            },
            warnings: removed::warnings(|name| self.get(name) != Ok(None)),
        })
    }

    fn read_telemetry(
        &self,
        name: ExtensionName,
        compiled_port: Port,
        subscription: Subscription,
        config: &Config,
    ) -> Result<TelemetryConfig, String> {
        // If telemetry shares the extension's port, FG_EXTENSION_PORT moves both.
        let default_port = if subscription.port() == compiled_port {
            config.port
        } else {
            subscription.port()
        };
        Ok(TelemetryConfig {
            port: self
                .port("FG_TELEMETRY_PORT", name)?
                .unwrap_or(default_port),
            types: subscription.types(),
            buffer: match self.get("FG_TELEMETRY_BUFFER")? {
                Some(value) => parse_size("FG_TELEMETRY_BUFFER", &value, BUFFER_RANGE)?,
                None => 4 << 20,
            },
            timeout: self.duration("FG_TELEMETRY_TIMEOUT", Duration::from_secs(30), MILLISECOND)?,
        })
    }

    /// Returns the trimmed value of a variable, or `None` if it is unset or empty.
    fn get(&self, name: &'static str) -> Result<Option<String>, String> {
        match (self.0)(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
            Some(Err(value)) => Err(invalid(
                name,
                &value.to_string_lossy(),
                "is not UTF-8",
                "write it in UTF-8",
            )),
        }
    }

    fn duration(
        &self,
        name: &'static str,
        default: Duration,
        min: Duration,
    ) -> Result<Duration, String> {
        match self.get(name)? {
            Some(value) => parse_duration(name, &value, min..=duration::MAX),
            None => Ok(default),
        }
    }

    fn port(&self, setting: &'static str, name: ExtensionName) -> Result<Option<Port>, String> {
        match self.get(setting)? {
            Some(value) => choose_port(setting, &value, name),
            None => Ok(None),
        }
    }
}

fn missing_platform_address() -> String {
    "EXTENSION_API_ADDR is not set; FunctionGraph sets it, and on your machine `cargo fg dev` does"
        .to_owned()
}
