//! The configuration: the standard settings of OTLP exporters, and our own `FG_OTLP_`
//! settings.
//!
//! The standard settings are specified in <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>. An invalid standard setting may
//! be meant for an SDK inside the function, and telemetry must never break the function, so it is only logged, as the
//! specification asks. An invalid `FG_OTLP_` setting is an error, because only this crate reads those.

mod host;
mod own_endpoint;
mod parse;
mod proxy;
mod sdk;
mod secrets;
mod settings;
mod tls;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fg_extension::{Error, Setting};
use hyper::{HeaderMap, Uri};

use self::own_endpoint::is_own;
pub(crate) use self::proxy::Proxy;
pub(crate) use self::sdk::{AttributeLimits, SamplerConfig, SdkConfig, TemporalityPreference};
pub(crate) use self::secrets::{SecretHeader, SecretsConfig, TokenSource, ValuePart};
use self::settings::Settings;
pub(crate) use self::tls::TlsConfig;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The configuration of a forwarder.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) resource: ResourceConfig,
    pub(crate) sdk: SdkConfig,
    /// `FG_OTLP_OWN_METRICS`: whether the metrics about the forwarder itself are sent.
    pub(crate) own_metrics: bool,
    /// Indexed by [`Signal::index`]; `None` if the signal is disabled.
    signals: [Option<SignalConfig>; Signal::ALL.len()],
    /// Whether a setting contains an endpoint.
    has_endpoint: bool,
    /// `FG_OTLP_FLUSH`
    pub(crate) flush_mode: FlushMode,
    /// `FG_OTLP_FLUSH_INTERVAL`: the time between two periodic flushes.
    pub(crate) flush_interval: Duration,
    /// `FG_OTLP_FLUSH_TIMEOUT`: the longest time that a flush may delay an invocation.
    pub(crate) flush_timeout: Duration,
    /// `FG_OTLP_BUFFER`: the size, in bytes, of the buffer for spans and log records that wait to be sent.
    pub(crate) buffer: usize,
    /// Where the secrets in headers come from. `None` if no header has one.
    pub(crate) secrets: Option<SecretsConfig>,
    /// `FG_OTLP_RECEIVER`: where the function's own telemetry is received. `None` if the receiver is off.
    pub(crate) receiver: Option<SocketAddr>,
    /// Problems with standard settings, to be logged.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The user's settings for the resource, and for what the platform does not name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceConfig {
    /// `FG_OTLP_TRIGGER`: the value of `faas.trigger`, because no event names the trigger. `None` if it is left out.
    pub(crate) trigger: Option<&'static str>,
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
    /// Headers with secrets, which are added to `headers` before a request.
    pub(crate) secret_headers: Vec<SecretHeader>,
    /// The time limit for one request and its response.
    pub(crate) timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) tls: TlsConfig,
    /// `None` if requests are sent directly.
    pub(crate) proxy: Option<Proxy>,
    /// The address of this extension's own receiver, to which nothing is sent.
    pub(crate) own_receiver: Option<SocketAddr>,
}

/// The default of `FG_OTLP_RECEIVER`: the default endpoint of SDKs.
const DEFAULT_RECEIVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4318);

/// How the body of a request is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compression {
    Gzip,
    None,
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
    /// Reads the settings, which `lookup` looks up.
    ///
    /// Returns `None` if `OTEL_SDK_DISABLED` is `true`. The other settings are not read in that case, so that an
    /// invalid one does not stop a disabled forwarder.
    ///
    /// # Errors
    ///
    /// Returns an error for the first `FG_OTLP_` setting that is invalid, and if a reference to a secret is invalid.
    pub(crate) fn read(
        lookup: impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Option<Self>, Error> {
        let settings = Settings::new(&lookup);
        let text = |setting: &Setting| Ok(setting.value().to_owned());
        let disabled = settings.parse_or_warn("OTEL_SDK_DISABLED", text);
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let base = settings.endpoint("FG_OTLP_ENDPOINT")?;
        let mut signals = [None, None, None];
        for signal in Signal::ALL {
            signals[signal.index()] = SignalConfig::read(&settings, signal, base.as_ref())?;
        }
        let mut configs = signals.iter().flatten();
        let has_secrets = configs.any(|config| !config.secret_headers.is_empty());
        let secrets = match has_secrets {
            true => Some(SecretsConfig::read(&settings)?),
            false => None,
        };
        Ok(Some(Self {
            resource: ResourceConfig {
                trigger: settings.parse("FG_OTLP_TRIGGER", parse::trigger)?,
                service_name: settings.parse_or_warn("OTEL_SERVICE_NAME", text),
                attributes: settings
                    .parse_or_warn("OTEL_RESOURCE_ATTRIBUTES", parse::attributes)
                    .unwrap_or_default(),
            },
            signals,
            secrets,
            has_endpoint: base.is_some() || settings.has_endpoint(),
            sdk: SdkConfig::read(&settings),
            own_metrics: settings
                .parse("FG_OTLP_OWN_METRICS", parse::switch)?
                .unwrap_or(false),
            flush_mode: settings
                .parse("FG_OTLP_FLUSH", parse::flush_mode)?
                .unwrap_or(FlushMode::Adaptive),
            flush_interval: settings
                .parse("FG_OTLP_FLUSH_INTERVAL", |setting| {
                    parse::duration(setting, Duration::from_millis(1))
                })?
                .unwrap_or(Duration::from_secs(5)),
            flush_timeout: settings
                .parse("FG_OTLP_FLUSH_TIMEOUT", |setting| {
                    parse::duration(setting, Duration::ZERO)
                })?
                .unwrap_or(Duration::from_millis(400)),
            buffer: settings
                .parse("FG_OTLP_BUFFER", parse::buffer_size)?
                .unwrap_or(4 << 20),
            receiver: settings
                .parse("FG_OTLP_RECEIVER", parse::receiver)?
                .unwrap_or(Some(DEFAULT_RECEIVER)),
            diagnostics: settings.into_diagnostics(),
        }))
    }

    /// Does the same as [`read`](Self::read) with a function that returns the value of an environment variable.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn from_variables<V: AsRef<str>>(
        variable: impl Fn(&str) -> Option<V>,
    ) -> Result<Option<Self>, Error> {
        Self::read(|name| {
            let setting = |value: V| {
                Setting::new(
                    name,
                    value.as_ref(),
                    fg_extension::SettingSource::Environment,
                )
            };
            Ok(variable(name).and_then(setting))
        })
    }

    /// Disables the signals whose endpoint is the receiver at this address, which would send data in a loop.
    pub(crate) fn disable_own_endpoints(&mut self, receiver: SocketAddr) {
        let mut own = Vec::new();
        for signal in Signal::ALL {
            let config = &mut self.signals[signal.index()];
            if config
                .take_if(|config| is_own(&config.endpoint, receiver))
                .is_some()
            {
                own.push(signal);
            }
            // A host name shows only when it is connected to where it leads.
            if let Some(config) = config {
                config.own_receiver = Some(receiver);
            }
        }
        if !own.is_empty() {
            let diagnostic = own_endpoint::diagnostic(&own, receiver, self.has_endpoint);
            self.diagnostics.push(diagnostic);
        }
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
    /// Reads the settings of the signal. `base` is the URL of the collector for all signals, if it is set. Returns `None`
    /// if the signal is disabled or its endpoint is invalid.
    ///
    /// # Errors
    ///
    /// Returns an error if a reference to a secret is invalid.
    fn read(
        settings: &Settings<'_>,
        signal: Signal,
        base: Option<&Uri>,
    ) -> Result<Option<Self>, Error> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.env_name());
        if settings.parse_or_warn(&exporter, parse::exporter) == Some(ExporterSelection::None) {
            return Ok(None);
        }
        let endpoint = match base {
            Some(base) => parse::below(base.clone(), signal.path()),
            None => endpoint(settings, signal),
        };
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                settings.report(signals_disabled(&error));
                return Ok(None);
            }
        };
        settings.for_signal(signal, "PROTOCOL", parse::protocol);
        let headers = settings.for_signal(signal, "HEADERS", |setting| Ok(parse::headers(setting)));
        let headers = headers.unwrap_or_default();
        if let Some(error) = headers.error {
            return Err(error.into());
        }
        for warning in headers.warnings {
            settings.report(warning);
        }
        let proxy = Proxy::read(settings, &endpoint);
        Ok(Some(Self {
            endpoint,
            headers: headers.plain,
            secret_headers: headers.secret,
            timeout: settings
                .for_signal(signal, "TIMEOUT", parse::timeout)
                .unwrap_or(Duration::from_secs(10)),
            compression: settings
                .for_signal(signal, "COMPRESSION", parse::compression)
                .unwrap_or(Compression::Gzip),
            tls: TlsConfig::read(settings, signal),
            proxy,
            own_receiver: None,
        }))
    }
}

/// Returns the endpoint of a signal: its own setting unchanged, or else the common endpoint with the signal's path.
fn endpoint(settings: &Settings<'_>, signal: Signal) -> Result<Uri, Error> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.env_name());
    let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(endpoint) = settings.endpoint(&own)? {
        return Ok(endpoint);
    }
    let base = settings.endpoint(common)?;
    let base = base.unwrap_or_else(|| Uri::from_static("http://localhost:4318"));
    parse::below(base, signal.path())
}
