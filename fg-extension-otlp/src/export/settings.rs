//! The settings: the standard ones of OTLP exporters, and our own about flushes.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> say what the standard ones mean.
//! A wrong one of those may be meant for an SDK inside the function, and telemetry must never break the function: it is
//! a line in the log, as the specification wants. Ours are nobody else's, so a wrong one is an error.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fg_extension::Error;
use hyper::{HeaderMap, Uri};

use super::Signal;
use super::report::Line;

mod values;

#[cfg(test)]
mod tests;

#[derive(Debug)]
pub(crate) struct Settings {
    /// `OTEL_SERVICE_NAME`; it wins over a `service.name` among the resource attributes.
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, in the order in which they were written.
    pub(crate) resource_attributes: Vec<(String, String)>,
    /// By [`Signal`]; nothing for one that is off.
    targets: [Option<Target>; Signal::ALL.len()],
    /// `FG_OTLP_FLUSH`
    pub(crate) flush: Flush,
    /// `FG_OTLP_FLUSH_INTERVAL`: between two periodic flushes.
    pub(crate) flush_interval: Duration,
    /// `FG_OTLP_FLUSH_TIMEOUT`: the longest that a flush may hold up an invocation, or the shutdown.
    pub(crate) flush_timeout: Duration,
    /// `FG_OTLP_BUFFER`: how many bytes spans and log records may take that wait to be sent.
    pub(crate) buffer: usize,
    /// What is wrong with standard settings.
    pub(super) lines: Vec<Line>,
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

/// What `OTEL_<signal>_EXPORTER` can ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Exporter {
    Otlp,
    None,
}

impl Settings {
    /// The settings in `variable`, which is the environment; `None` if `OTEL_SDK_DISABLED` is `true`, and then
    /// nothing else is read: whoever switches everything off shall not be held up by the rest.
    ///
    /// # Errors
    ///
    /// The first setting of ours that cannot be read.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let environment = Environment {
            variable: &variable,
            lines: RefCell::default(),
        };
        let text = |_: &str, value: &str| Ok(value.to_owned());
        let disabled = environment.standard("OTEL_SDK_DISABLED", text);
        if disabled.is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        Ok(Some(Self {
            service_name: environment.standard("OTEL_SERVICE_NAME", text),
            resource_attributes: environment
                .standard("OTEL_RESOURCE_ATTRIBUTES", values::attributes)
                .unwrap_or_default(),
            targets: Signal::ALL.map(|signal| Target::read(&environment, signal)),
            flush: environment
                .own("FG_OTLP_FLUSH", values::flush)?
                .unwrap_or(Flush::Adaptive),
            flush_interval: environment
                .own("FG_OTLP_FLUSH_INTERVAL", |name, value| {
                    values::duration(name, value, Duration::from_millis(1))
                })?
                .unwrap_or(Duration::from_secs(5)),
            flush_timeout: environment
                .own("FG_OTLP_FLUSH_TIMEOUT", |name, value| {
                    values::duration(name, value, Duration::ZERO)
                })?
                .unwrap_or(Duration::from_millis(400)),
            buffer: environment
                .own("FG_OTLP_BUFFER", values::bytes)?
                .unwrap_or(4 << 20),
            lines: environment.lines.take(),
        }))
    }

    pub(super) fn target(&self, signal: Signal) -> Option<&Target> {
        self.targets[signal.index()].as_ref()
    }
}

/// The line about what keeps signals from being exported at all.
pub(super) fn off(error: &Error) -> Line {
    Line::Error(format!("{error}; the signals that it is for are off"))
}

impl Target {
    /// `None` if the signal is off, or there is no telling where it is to go.
    fn read(environment: &Environment<'_>, signal: Signal) -> Option<Self> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.setting());
        if environment.standard(&exporter, values::exporter) == Some(Exporter::None) {
            return None;
        }
        let endpoint = endpoint(environment, signal)
            .map_err(|error| environment.say(off(&error)))
            .ok()?;
        environment.for_signal(signal, "PROTOCOL", values::protocol);
        Some(Self {
            endpoint,
            headers: environment
                .for_signal(signal, "HEADERS", values::headers)
                .unwrap_or_default(),
            timeout: environment
                .for_signal(signal, "TIMEOUT", values::timeout)
                .unwrap_or(Duration::from_secs(10)),
            gzip: environment
                .for_signal(signal, "COMPRESSION", values::gzip)
                .unwrap_or(true),
            certificate: environment.for_signal(signal, "CERTIFICATE", |name, path| {
                Ok(Certificate {
                    setting: name.to_owned(),
                    path: path.into(),
                })
            }),
        })
    }
}

/// An endpoint for one signal is used as it is; the common one is where all three live.
fn endpoint(environment: &Environment<'_>, signal: Signal) -> Result<Uri, Error> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.setting());
    let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(endpoint) = environment.own(&own, values::endpoint)? {
        return Ok(endpoint);
    }
    let base = environment.set(common)?;
    let base = base.as_deref().unwrap_or("http://localhost:4318");
    values::endpoint_below(common, base, signal.path())
}

/// The variables, read the way that the specification wants: an empty one counts as not set.
struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// What is wrong with the standard ones.
    lines: RefCell<Vec<Line>>,
}

impl Environment<'_> {
    fn set(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.variable)(name).map(OsString::into_string) {
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

    /// A setting without which it does not go on.
    fn own<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.set(name)?.map(|value| parse(name, &value)).transpose()
    }

    /// A setting that counts as not set if it cannot be read.
    fn standard<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Option<T> {
        self.own(name, parse).unwrap_or_else(|error| {
            self.say(Line::Warning(format!("{error}; it counts as not set")));
            None
        })
    }

    /// The setting `what` of the signal or else the one of all signals.
    fn for_signal<T>(
        &self,
        signal: Signal,
        what: &str,
        parse: impl Fn(&str, &str) -> Result<T, Error>,
    ) -> Option<T> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.setting());
        self.standard(&own, &parse)
            .or_else(|| self.standard(&format!("OTEL_EXPORTER_OTLP_{what}"), &parse))
    }

    fn say(&self, line: Line) {
        line.add_to(&mut self.lines.borrow_mut());
    }
}
