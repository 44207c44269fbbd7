//! The configuration, read from the environment: the standard settings of OTLP exporters, and our own about flushes.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> say what the standard ones mean.
//! A wrong one of those may be meant for an SDK inside the function, and telemetry must never break the function: it is
//! a line in the log, as the specification wants. Ours are nobody else's, so a wrong one is an error.

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

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) resource: ResourceConfig,
    /// By [`Signal`]; `None` for one that is off.
    signals: [Option<SignalConfig>; Signal::ALL.len()],
    /// `FG_OTLP_FLUSH`
    pub(crate) flush_mode: FlushMode,
    /// `FG_OTLP_FLUSH_INTERVAL`: between two periodic flushes.
    pub(crate) flush_interval: Duration,
    /// `FG_OTLP_FLUSH_TIMEOUT`: the longest that a flush may hold up an invocation, or the shutdown.
    pub(crate) flush_timeout: Duration,
    /// `FG_OTLP_BUFFER`: how many bytes spans and log records may take that wait to be sent.
    pub(crate) buffer: usize,
    /// What is wrong with standard settings.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What the user says about the resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceConfig {
    /// `OTEL_SERVICE_NAME`; it wins over a `service.name` among the resource attributes.
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, in the order in which they were written.
    pub(crate) attributes: Vec<(String, String)>,
}

/// Where one signal goes, and how.
#[derive(Clone, Debug)]
pub(crate) struct SignalConfig {
    /// `http` or `https`, with a host and the whole path.
    pub(crate) endpoint: Uri,
    /// Their values are marked as sensitive, since most are keys.
    pub(crate) headers: HeaderMap,
    /// For one request and its response.
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

/// A PEM file with the roots to trust in place of the bundled ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CertificateFile {
    /// The setting that names it, for the error about a file that cannot be used.
    pub(crate) setting: String,
    pub(crate) path: PathBuf,
}

/// When to flush.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FlushMode {
    /// As `End` while the function is invoked rarely, as `Periodic` while it is invoked often.
    Adaptive,
    /// At the end of each invocation: nothing waits in a process that may be frozen.
    End,
    /// Each interval: no invocation is held up.
    Periodic,
}

/// What `OTEL_<signal>_EXPORTER` can ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ExporterSelection {
    Otlp,
    None,
}

impl Config {
    /// Reads the settings that `variable` returns, which is the environment; `None` if `OTEL_SDK_DISABLED` is `true`, and then
    /// nothing else is read: whoever switches everything off shall not be held up by the rest.
    ///
    /// # Errors
    ///
    /// The first setting of ours that cannot be read.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let environment = Environment::new(&variable);
        let text = |_: &str, value: &str| Ok(value.to_owned());
        let disabled = environment.standard("OTEL_SDK_DISABLED", text);
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        Ok(Some(Self {
            resource: ResourceConfig {
                service_name: environment.standard("OTEL_SERVICE_NAME", text),
                attributes: environment
                    .standard("OTEL_RESOURCE_ATTRIBUTES", parse::attributes)
                    .unwrap_or_default(),
            },
            signals: Signal::ALL.map(|signal| SignalConfig::read(&environment, signal)),
            flush_mode: environment
                .own("FG_OTLP_FLUSH", parse::flush_mode)?
                .unwrap_or(FlushMode::Adaptive),
            flush_interval: environment
                .own("FG_OTLP_FLUSH_INTERVAL", |name, value| {
                    parse::duration(name, value, Duration::from_millis(1))
                })?
                .unwrap_or(Duration::from_secs(5)),
            flush_timeout: environment
                .own("FG_OTLP_FLUSH_TIMEOUT", |name, value| {
                    parse::duration(name, value, Duration::ZERO)
                })?
                .unwrap_or(Duration::from_millis(400)),
            buffer: environment
                .own("FG_OTLP_BUFFER", parse::buffer_size)?
                .unwrap_or(4 << 20),
            diagnostics: environment.into_diagnostics(),
        }))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Option<&SignalConfig> {
        self.signals[signal.index()].as_ref()
    }
}

/// Reports what keeps signals from being exported at all.
pub(crate) fn signals_are_off(error: &Error) -> Diagnostic {
    Diagnostic::Error(format!("{error}; the signals that it is for are off"))
}

impl SignalConfig {
    /// Reads the settings of the signal; `None` if it is off, or its endpoint cannot be read.
    fn read(environment: &Environment<'_>, signal: Signal) -> Option<Self> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.in_variable_name());
        if environment.standard(&exporter, parse::exporter) == Some(ExporterSelection::None) {
            return None;
        }
        let endpoint = endpoint(environment, signal)
            .map_err(|error| environment.report(signals_are_off(&error)))
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

/// An endpoint for one signal is used as it is; the common one is where all three live.
fn endpoint(environment: &Environment<'_>, signal: Signal) -> Result<Uri, Error> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.in_variable_name());
    let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(endpoint) = environment.own(&own, parse::endpoint)? {
        return Ok(endpoint);
    }
    let base = environment.get(common)?;
    let base = base.as_deref().unwrap_or("http://localhost:4318");
    parse::endpoint_below(common, base, signal.path())
}
