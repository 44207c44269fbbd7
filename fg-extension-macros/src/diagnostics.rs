//! Diagnostics: collects every mistake of one compile and formats the messages.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The mistakes found in one compile, which are all reported together.
///
/// # Panics
///
/// Dropping it without a call of [`Self::finish`] panics, so that no mistake goes unreported.
pub(crate) struct Diagnostics {
    errors: Option<Vec<syn::Error>>,
}

impl Diagnostics {
    pub(crate) fn new() -> Self {
        Self {
            errors: Some(Vec::new()),
        }
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.get_or_insert_default().push(error);
    }

    /// Adds an error that underlines `tokens`.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Returns the value, or adds the error and returns `None`.
    pub(crate) fn check<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.as_ref().is_none_or(Vec::is_empty)
    }

    /// Returns the mistakes as `compile_error!` calls, or `None` if there are none.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        let errors = self.errors.take().unwrap_or_default();
        (!errors.is_empty()).then(|| errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(
            self.errors.is_none() || std::thread::panicking(),
            "diagnostics were dropped without being reported"
        );
    }
}

/// Appends what to write instead. It is part of the error message, because on stable Rust a procedural macro cannot emit
/// separate help messages.
pub(crate) fn with_help(message: impl Display, help: impl Display) -> String {
    format!("{message}; {help}")
}

/// Returns the known word that is similar to `word`, if there is one.
pub(crate) fn did_you_mean<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::osa_distance(&word, known), *known))
        // Allow two typos, or one in a short word, so that `emit` is not taken for `init`.
        .filter(|(distance, known)| *distance <= (known.len() / 3).min(2))
        .min()
        .map(|(_, known)| known)
}

/// Joins the words, as in `` `a`, `b` and `c` ``.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, list};

    #[test]
    fn misspellings_are_recognized_and_other_words_are_not() {
        let helpers = ["init", "invoke", "telemetry", "shutdown"];
        for (word, meant) in [
            ("inti", Some("init")),
            ("Init", Some("init")),
            ("invok", Some("invoke")),
            ("invoked", Some("invoke")),
            ("telemtery", Some("telemetry")),
            ("shutdwon", Some("shutdown")),
            ("inline", None),
            ("emit", None),
            ("must_use", None),
            ("instrument", None),
            ("doc", None),
        ] {
            assert_eq!(did_you_mean(word, &helpers), meant, "{word}");
        }
    }

    #[test]
    fn list_joins_the_last_word_with_and() {
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(list(&["a"]), "`a`");
    }
}
