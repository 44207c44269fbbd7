//! Access to the environment variables, with a list of the problems found in them.

use std::cell::RefCell;
use std::ffi::OsString;

use fg_extension::Error;

use super::parse;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The environment variables. As the specification requires, an empty variable counts as unset.
pub(super) struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Problems with standard settings.
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            variable,
            diagnostics: RefCell::default(),
        }
    }

    /// Returns the trimmed value of a variable, or `None` if it is unset or empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not UTF-8.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.variable)(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
            Some(Err(value)) => Err(parse::invalid(
                name,
                &value.to_string_lossy(),
                "is not UTF-8",
                "write it in UTF-8",
            )),
        }
    }

    /// Parses a setting, or returns `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is invalid.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name)?.map(|value| parse(name, &value)).transpose()
    }

    /// Parses a setting like [`parse`](Self::parse), but reports an invalid value as a warning and returns `None`.
    pub(super) fn parse_or_warn<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
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
        parse: impl Fn(&str, &str) -> Result<T, Error>,
    ) -> Option<T> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.env_name());
        self.parse_or_warn(&own, &parse)
            .or_else(|| self.parse_or_warn(&format!("OTEL_EXPORTER_OTLP_{suffix}"), &parse))
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        diagnostic.add_to(&mut self.diagnostics.borrow_mut());
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}
