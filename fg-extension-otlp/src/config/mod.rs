//! The configuration, read from the environment: the standard settings of OTLP exporters, and our own `FG_OTLP_`
//! settings.
//!
//! The standard settings are specified in <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>. An invalid standard setting may
//! be meant for an SDK inside the function, and telemetry must never break the function, so it is only logged, as the
//! specification asks. An invalid `FG_OTLP_` setting is an error, because only this crate reads those.

mod environment;
mod parse;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fg_extension::Error;
use hyper::{HeaderMap, Uri};

use self::environment::Environment;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The configuration of a forwarder.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) resource: ResourceConfig,
    /// Indexed by [`Signal::index`]; `None` if the signal is disabled.
    signals: [Option<SignalConfig>; Signal::ALL.len()],
    /// `FG_OTLP_FLUSH`
    pub(crate) flush_mode: FlushMode,
    /// `FG_OTLP_FLUSH_INTERVAL`: the time between two periodic flushes.
    pub(crate) flush_interval: Duration,
    /// `FG_OTLP_FLUSH_TIMEOUT`: the longest time that a flush may delay an invocation.
    pub(crate) flush_timeout: Duration,
    /// `FG_OTLP_BUFFER`: the size, in bytes, of the buffer for spans and log records that wait to be sent.
    pub(crate) buffer: usize,
    /// Problems with standard settings, to be logged.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The user's settings for the resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceConfig {
    /// `OTEL_SERVICE_NAME`; takes precedence over `service.name` in the resource attributes.
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, in the order of the setting.
    pub(crate) attributes: Vec<(String, String)>,
}

/// Where and how one signal is sent.
#[derive(Clone, Debug)]
pub(crate) struct SignalConfig {
    /// An `http` or `https` URL with a host and the complete path.
    pub(crate) endpoint: Uri,
    /// The values are marked as sensitive, because most are credentials.
    pub(crate) headers: HeaderMap,
    /// The time limit for one request and its response.
    pub(crate) timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) certificate: Option<CertificateFile>,
}

/// How the body of a request is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compression {
    Gzip,
    None,
}

/// A PEM file with the root certificates to trust instead of the bundled ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CertificateFile {
    /// The name of the setting, for the error if the file cannot be used.
    pub(crate) setting: String,
    pub(crate) path: PathBuf,
}

/// When to flush.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FlushMode {
    /// Like `End` while invocations are rare, and like `Periodic` while they are frequent.
    Adaptive,
    /// At the end of each invocation, so that no data waits in a frozen process.
    End,
    /// Once per interval, so that no invocation is delayed.
    Periodic,
}

/// A value of `OTEL_<signal>_EXPORTER`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ExporterSelection {
    Otlp,
    None,
}

impl Config {
    /// Reads the settings from the environment, which `variable` looks up.
    ///
    /// Returns `None` if `OTEL_SDK_DISABLED` is `true`. The other settings are not read in that case, so that an
    /// invalid one does not stop a disabled forwarder.
    ///
    /// # Errors
    ///
    /// Returns an error for the first `FG_OTLP_` setting that is invalid.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let environment = Environment::new(&variable);
        let text = |_: &str, value: &str| Ok(value.to_owned());
        let disabled = environment.parse_or_warn("OTEL_SDK_DISABLED", text);
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        Ok(Some(Self {
            resource: ResourceConfig {
                service_name: environment.parse_or_warn("OTEL_SERVICE_NAME", text),
                attributes: environment
                    .parse_or_warn("OTEL_RESOURCE_ATTRIBUTES", parse::attributes)
                    .unwrap_or_default(),
            },
            signals: Signal::ALL.map(|signal| SignalConfig::read(&environment, signal)),
            flush_mode: environment
                .parse("FG_OTLP_FLUSH", parse::flush_mode)?
                .unwrap_or(FlushMode::Adaptive),
            flush_interval: environment
                .parse("FG_OTLP_FLUSH_INTERVAL", |name, value| {
                    parse::duration(name, value, Duration::from_millis(1))
                })?
                .unwrap_or(Duration::from_secs(5)),
            flush_timeout: environment
                .parse("FG_OTLP_FLUSH_TIMEOUT", |name, value| {
                    parse::duration(name, value, Duration::ZERO)
                })?
                .unwrap_or(Duration::from_millis(400)),
            buffer: environment
                .parse("FG_OTLP_BUFFER", parse::buffer_size)?
                .unwrap_or(4 << 20),
            diagnostics: environment.into_diagnostics(),
        }))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Option<&SignalConfig> {
        self.signals[signal.index()].as_ref()
    }
}

/// Returns the diagnostic for an error that disables one or more signals.
pub(crate) fn signals_disabled(error: &Error) -> Diagnostic {
    Diagnostic::Error(format!("{error}; the signals that use it are disabled"))
}

impl SignalConfig {
    /// Reads the settings of the signal. Returns `None` if the signal is disabled or its endpoint is invalid.
    fn read(environment: &Environment<'_>, signal: Signal) -> Option<Self> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.env_name());
        if environment.parse_or_warn(&exporter, parse::exporter) == Some(ExporterSelection::None) {
            return None;
        }
        let endpoint = endpoint(environment, signal)
            .map_err(|error| environment.report(signals_disabled(&error)))
            .ok()?;
        environment.for_signal(signal, "PROTOCOL", parse::protocol);
        Some(Self {
            endpoint,
            headers: environment
                .for_signal(signal, "HEADERS", parse::headers)
                .unwrap_or_default(),
            timeout: environment
                .for_signal(signal, "TIMEOUT", parse::timeout)
                .unwrap_or(Duration::from_secs(10)),
            compression: environment
                .for_signal(signal, "COMPRESSION", parse::compression)
                .unwrap_or(Compression::Gzip),
            certificate: environment.for_signal(signal, "CERTIFICATE", |name, path| {
                Ok(CertificateFile {
                    setting: name.to_owned(),
                    path: path.into(),
                })
            }),
        })
    }
}

/// Returns the endpoint of a signal: its own setting unchanged, or else the common endpoint with the signal's path.
fn endpoint(environment: &Environment<'_>, signal: Signal) -> Result<Uri, Error> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.env_name());
    let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(endpoint) = environment.parse(&own, parse::endpoint)? {
        return Ok(endpoint);
    }
    let base = environment.get(common)?;
    let base = base.as_deref().unwrap_or("http://localhost:4318");
    parse::endpoint_below(common, base, signal.path())
}
