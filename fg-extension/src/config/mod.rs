//! The settings of an extension, read once at its start.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod platform_address;
mod port_setting;
mod removed;
mod sources;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::time::Duration;

use fg_util::duration;
use fg_util::setting::{Setting, SizeRange, parse_duration, parse_size};

pub(crate) use platform_address::PlatformAddress;
use port_setting::choose_port;
use sources::Sources;
pub use sources::setting;

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
    pub(crate) fn read(name: ExtensionName, port: Port) -> Result<Self, RunError> {
        let sources = Sources::of_process();
        sources.config(name, port).map_err(RunError::setting)
    }

    /// Does the same as [`read`](Self::read) with a function that returns the value of an environment variable.
    #[cfg(test)]
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        name: ExtensionName,
        port: Port,
    ) -> Result<Self, RunError> {
        let sources = Sources {
            variable,
            file: &Ok(None),
        };
        sources.config(name, port).map_err(RunError::setting)
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
    pub(crate) fn read(
        name: ExtensionName,
        compiled_port: Port,
        subscription: Subscription,
        config: &Config,
    ) -> Result<Self, RunError> {
        let sources = Sources::of_process();
        sources
            .telemetry_config(name, compiled_port, subscription, config)
            .map_err(RunError::setting)
    }

    /// Does the same as [`read`](Self::read) with a function that returns the value of an environment variable.
    #[cfg(test)]
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        name: ExtensionName,
        compiled_port: Port,
        subscription: Subscription,
        config: &Config,
    ) -> Result<Self, RunError> {
        let sources = Sources {
            variable,
            file: &Ok(None),
        };
        sources
            .telemetry_config(name, compiled_port, subscription, config)
            .map_err(RunError::setting)
    }
}

impl<F: Fn(&str) -> Option<OsString>> Sources<'_, F> {
    fn config(&self, name: ExtensionName, compiled_port: Port) -> Result<Config, String> {
        let platform = match self.variable("EXTENSION_API_ADDR")? {
            Some(setting) => PlatformAddress::parse(&setting)?,
            None => return Err(missing_platform_address()),
        };
        let port = self
            .port("FG_EXTENSION_PORT", name)?
            .unwrap_or(compiled_port);
        // These variables are set for the function, so an unreadable value counts as unset instead of being an error.
        let of_function = |name| {
            let setting = self.variable(name).unwrap_or(None);
            setting.map(Setting::into_value)
        };
        let mut warnings = removed::warnings(|name| self.get(name) != Ok(None));
        warnings.extend(self.user_data_warning());
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
            function_name: of_function("RUNTIME_FUNC_NAME"),
            function_version: of_function("RUNTIME_FUNC_VERSION"),
            #[cfg(feature = "stderr-log")]
            log: match self.get("FG_LOG")? {
                Some(setting) => setting.value().parse().map_err(|_| {
                    setting.invalid(
                        "is not a level",
                        "write `off`, `error`, `warn`, `info`, `debug` or `trace`",
                    )
                })?,
                None => tracing::level_filters::LevelFilter::WARN,
            },
            warnings,
        })
    }

    fn telemetry_config(
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
                Some(setting) => parse_size(&setting, BUFFER_RANGE)?,
                None => 4 << 20,
            },
            timeout: self.duration("FG_TELEMETRY_TIMEOUT", Duration::from_secs(30), MILLISECOND)?,
        })
    }

    fn duration(&self, name: &str, default: Duration, min: Duration) -> Result<Duration, String> {
        match self.get(name)? {
            Some(setting) => parse_duration(&setting, min..=duration::MAX),
            None => Ok(default),
        }
    }

    fn port(&self, setting: &str, name: ExtensionName) -> Result<Option<Port>, String> {
        match self.get(setting)? {
            Some(setting) => choose_port(&setting, name),
            None => Ok(None),
        }
    }
}

fn missing_platform_address() -> String {
    "EXTENSION_API_ADDR is not set; FunctionGraph sets it, and on your machine `cargo fg dev` does"
        .to_owned()
}
