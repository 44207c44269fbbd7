//! Spans, which determine where rustc reports errors in generated code.

use proc_macro2::{Ident, Span, TokenStream};

/// Returns the spans of the first and the last token.
pub(super) fn first_and_last(tokens: &TokenStream) -> (Span, Span) {
    let spans = || tokens.clone().into_iter().map(|token| token.span());
    let first = spans().next().unwrap_or_else(Span::call_site);
    (first, spans().last().unwrap_or(first))
}

/// Returns the path with spans that reach from `first` to `last`.
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

/// Returns a span with the location of the author's code that resolves names like generated code.
pub(super) fn located_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Returns a local variable that cannot conflict with the author's names.
pub(super) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
