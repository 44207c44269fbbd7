//! Where rustc reports errors in generated code.

use proc_macro2::{Ident, Span, TokenStream};

/// Returns the spans of the first token and of the last.
pub(super) fn first_and_last(tokens: &TokenStream) -> (Span, Span) {
    let spans = || tokens.clone().into_iter().map(|token| token.span());
    let first = spans().next().unwrap_or_else(Span::call_site);
    (first, spans().last().unwrap_or(first))
}

/// Sets the spans of a path, so that it ranges from `first` to `last`.
pub(super) fn respan(path: TokenStream, first: Span, last: Span) -> TokenStream {
    let mut tokens: Vec<_> = path.into_iter().collect();
    for token in &mut tokens {
        token.set_span(first);
    }
    if let Some(token) = tokens.last_mut() {
        token.set_span(last);
    }
    tokens.into_iter().collect()
}

/// Returns a span in the author's code that resolves names as generated code does.
pub(super) fn located_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Returns a variable that cannot be mistaken for one of the author's.
pub(super) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
