//! The environment's variables, and what is wrong with them.

use std::cell::RefCell;
use std::ffi::OsString;

use fg_extension::Error;

use super::parse;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The variables, read the way that the specification wants: an empty one counts as not set.
pub(super) struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// What is wrong with the standard ones.
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            variable,
            diagnostics: RefCell::default(),
        }
    }

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

    /// Reads a setting of ours: one that cannot be read is an error.
    pub(super) fn own<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name)?.map(|value| parse(name, &value)).transpose()
    }

    /// Reads a standard setting: one that cannot be read counts as not set.
    pub(super) fn standard<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Error>,
    ) -> Option<T> {
        self.own(name, parse).unwrap_or_else(|error| {
            self.report(Diagnostic::Warning(format!(
                "{error}; it counts as not set"
            )));
            None
        })
    }

    /// Reads the setting `suffix` of the signal or else the one of all signals.
    pub(super) fn for_signal<T>(
        &self,
        signal: Signal,
        suffix: &str,
        parse: impl Fn(&str, &str) -> Result<T, Error>,
    ) -> Option<T> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.in_variable_name());
        self.standard(&own, &parse)
            .or_else(|| self.standard(&format!("OTEL_EXPORTER_OTLP_{suffix}"), &parse))
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        diagnostic.add_to(&mut self.diagnostics.borrow_mut());
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}
