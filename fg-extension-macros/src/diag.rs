use proc_macro2::TokenStream;
use quote::ToTokens;

/// Collects the mistakes of one compile, so that all of them are reported.
///
/// It panics when it is dropped unread: a mistake that is found must be told.
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

    /// A mistake in `tokens`, which is underlined.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// The value, or its error told.
    pub(crate) fn check<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The mistakes as `compile_error!`s, if there were any.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        let errors = self.errors.take().unwrap_or_default();
        (!errors.is_empty()).then(|| errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(
            self.errors.is_none() || std::thread::panicking(),
            "diagnostics were dropped unread"
        );
    }
}
