//! Access to the settings, with a list of the problems found in them.

use std::cell::RefCell;

use fg_extension::{Error, Setting};
use hyper::Uri;

use super::parse;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The settings. As the specification requires, an empty one counts as unset.
pub(super) struct Settings<'a> {
    lookup: &'a dyn Fn(&str) -> Result<Option<Setting>, Error>,
    /// Problems with standard settings.
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Result<Option<Setting>, Error>) -> Self {
        Self {
            lookup,
            diagnostics: RefCell::default(),
        }
    }

    /// Returns a setting, or `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`fg_extension::setting`].
    pub(super) fn get(&self, name: &str) -> Result<Option<Setting>, Error> {
        (self.lookup)(name)
    }

    /// Parses a setting, or returns `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is invalid.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&Setting) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name)?.as_ref().map(parse).transpose()
    }

    /// Parses a setting like [`parse`](Self::parse), but reports an invalid value as a warning and returns `None`.
    pub(super) fn parse_or_warn<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&Setting) -> Result<T, Error>,
    ) -> Option<T> {
        self.parse(name, parse).unwrap_or_else(|error| {
            self.report(Diagnostic::Warning(format!(
                "{error}; the setting is ignored"
            )));
            None
        })
    }

    /// Parses a setting of the signal, or else the setting with the same suffix for all signals.
    pub(super) fn for_signal<T>(
        &self,
        signal: Signal,
        suffix: &str,
        parse: impl Fn(&Setting) -> Result<T, Error>,
    ) -> Option<T> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.env_name());
        self.parse_or_warn(&own, &parse)
            .or_else(|| self.parse_or_warn(&format!("OTEL_EXPORTER_OTLP_{suffix}"), &parse))
    }

    /// Parses the URL of an endpoint. Reports a fragment, which a request cannot contain.
    pub(super) fn endpoint(&self, name: &str) -> Result<Option<Uri>, Error> {
        self.parse(name, |setting| {
            let endpoint = parse::endpoint(setting)?;
            if setting.value().contains('#') {
                let problem =
                    "a request cannot contain a fragment; the part from `#` on is ignored";
                self.report(Diagnostic::Warning(setting.unreadable(problem)));
            }
            Ok(endpoint)
        })
    }

    /// Returns whether a standard setting contains an endpoint.
    pub(super) fn has_endpoint(&self) -> bool {
        let is_set = |name: &str| matches!(self.get(name), Ok(Some(_)));
        let own = |signal: Signal| format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.env_name());
        is_set("OTEL_EXPORTER_OTLP_ENDPOINT")
            || Signal::ALL.into_iter().any(|signal| is_set(&own(signal)))
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        diagnostic.add_to(&mut self.diagnostics.borrow_mut());
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}
