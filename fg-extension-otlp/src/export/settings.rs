//! The settings: the standard ones of OTLP exporters, and our own about flushes.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> say what the standard ones mean.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fg_extension::Error;
use hyper::{HeaderMap, Uri};

use super::Signal;

mod values;

#[cfg(test)]
mod tests;

#[derive(Debug)]
pub(crate) struct Settings {
    /// `OTEL_SERVICE_NAME`; it wins over a `service.name` among the resource attributes.
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, in the order in which they were written.
    pub(crate) resource_attributes: Vec<(String, String)>,
    pub(crate) traces: Target,
    pub(crate) metrics: Target,
    pub(crate) logs: Target,
    /// `FG_OTLP_FLUSH`
    pub(crate) flush: Flush,
    /// `FG_OTLP_FLUSH_INTERVAL`: between two periodic flushes.
    pub(crate) flush_interval: Duration,
    /// `FG_OTLP_FLUSH_TIMEOUT`: the longest that a flush may hold up an invocation, or the shutdown.
    pub(crate) flush_timeout: Duration,
    /// `FG_OTLP_BUFFER`: how many bytes of spans and log records may wait to be sent.
    pub(crate) buffer: usize,
}

/// Where one signal goes, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `http` or `https`, with a host and the whole path.
    pub(crate) endpoint: Uri,
    /// Their values are marked as sensitive, since most are keys.
    pub(crate) headers: HeaderMap,
    /// For one request with its answer.
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) certificate: Option<Certificate>,
}

/// A PEM file with the roots to trust in place of the bundled ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Certificate {
    /// The setting that names it, for the error about a file that cannot be used.
    pub(crate) setting: String,
    pub(crate) path: PathBuf,
}

/// When to flush.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flush {
    /// As `End` while the function is called rarely, as `Periodic` while it is called often; see
    /// [`Rhythm`](super::rhythm::Rhythm).
    Adaptive,
    /// At the end of each invocation: nothing waits in a process that may be frozen.
    End,
    /// Each interval: no invocation is held up.
    Periodic,
}

impl Settings {
    /// The settings in `variable`, which is the environment; `None` if `OTEL_SDK_DISABLED` is `true`, and then
    /// nothing else is read: whoever switches everything off shall not be held up by the rest.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be read.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let environment = Environment(&variable);
        let disabled = environment.set("OTEL_SDK_DISABLED")?;
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        Ok(Some(Self {
            service_name: environment.set("OTEL_SERVICE_NAME")?,
            resource_attributes: environment
                .parsed("OTEL_RESOURCE_ATTRIBUTES", values::attributes)?
                .unwrap_or_default(),
            traces: Target::read(&environment, Signal::Traces)?,
            metrics: Target::read(&environment, Signal::Metrics)?,
            logs: Target::read(&environment, Signal::Logs)?,
            flush: environment
                .parsed("FG_OTLP_FLUSH", values::flush)?
                .unwrap_or(Flush::Adaptive),
            flush_interval: environment
                .parsed("FG_OTLP_FLUSH_INTERVAL", |name, value| {
                    values::duration(name, value, Duration::from_millis(1))
                })?
                .unwrap_or(Duration::from_secs(5)),
            flush_timeout: environment
                .parsed("FG_OTLP_FLUSH_TIMEOUT", |name, value| {
                    values::duration(name, value, Duration::ZERO)
                })?
                .unwrap_or(Duration::from_millis(400)),
            buffer: environment
                .parsed("FG_OTLP_BUFFER", values::bytes)?
                .unwrap_or(4 << 20),
        }))
    }

    pub(super) fn target(&self, signal: Signal) -> &Target {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

impl Target {
    fn read(environment: &Environment<'_>, signal: Signal) -> Result<Self, Error> {
        let protocol = environment.for_signal(signal, "PROTOCOL")?;
        if let Some((name, value)) = protocol {
            values::protocol(&name, &value)?;
        }
        // An endpoint for one signal is used as it is; the common one is where all three live.
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.setting());
        let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let endpoint = match environment.parsed(&own, values::endpoint)? {
            Some(endpoint) => endpoint,
            None => match environment.set(common)? {
                Some(value) => values::endpoint_below(common, &value, signal.path())?,
                None => values::endpoint_below(common, "http://localhost:4318", signal.path())?,
            },
        };
        let of = |what| environment.for_signal(signal, what);
        Ok(Self {
            endpoint,
            headers: match of("HEADERS")? {
                Some((name, value)) => values::headers(&name, &value)?,
                None => HeaderMap::new(),
            },
            timeout: match of("TIMEOUT")? {
                Some((name, value)) => values::timeout(&name, &value)?,
                None => Duration::from_secs(10),
            },
            gzip: match of("COMPRESSION")? {
                Some((name, value)) => values::gzip(&name, &value)?,
                None => true,
            },
            certificate: of("CERTIFICATE")?.map(|(setting, path)| Certificate {
                setting,
                path: path.into(),
            }),
        })
    }
}

/// The variables, read the way that the specification wants: an empty one counts as not set.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Environment<'_> {
    fn set(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.0)(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
            Some(Err(value)) => Err(values::bad(
                name,
                &value.to_string_lossy(),
                "is not UTF-8",
                "write it in UTF-8",
            )),
        }
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.set(name)?.map(|value| parse(name, &value)).transpose()
    }

    /// The setting `what` of the signal or else the one of all signals, with the name that it was found under.
    fn for_signal(&self, signal: Signal, what: &str) -> Result<Option<(String, String)>, Error> {
        for name in [
            format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.setting()),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ] {
            if let Some(value) = self.set(&name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }
}
