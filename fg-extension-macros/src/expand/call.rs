use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::model::Method;

/// The call of the author's method, and its result as the trait `into` makes it.
///
/// rustc says what is wrong with a type of the place of the argument that has it. So arguments are put where
/// the author wrote the type: a field of a tuple, since that can span from the type's first token to its last.
/// Their names are odd because they are, by their place, names among the author's.
pub(super) fn call(
    method: &Method,
    receiver: Option<TokenStream>,
    argument: Option<&Ident>,
    into: TokenStream,
) -> TokenStream {
    let mut arguments: Vec<_> = receiver.into_iter().collect();
    let mut bind_argument = None;
    if let (Some(argument), Some(parameter)) = (argument, &method.parameter) {
        let (first, last) = ends(parameter);
        let tuple = Ident::new("__argument", first);
        let field = quote_spanned!(last=> .0);
        let receive = across(quote!(__private::Parameter::receive), first, last);
        bind_argument = Some(quote! { let #tuple = (#argument,); });
        arguments.push(quote! { #receive(#tuple #field) });
    }
    let (first, last) = match &method.output {
        Some(output) => ends(output),
        None => (method.span, method.span),
    };
    let tuple = Ident::new("__output", first);
    let field = quote_spanned!(last=> .0);
    let into = across(into, first, last);
    let path = &method.path;
    let dot_await = method.is_async.then(|| quote!(.await));
    quote! {
        #bind_argument
        let #tuple = (#path(#(#arguments),*) #dot_await,);
        #into(#tuple #field)
    }
}

/// Of the same place as the argument, or rustc adds that this is what asks for the trait.
fn across(path: TokenStream, first: Span, last: Span) -> TokenStream {
    let mut tokens: Vec<_> = path.into_iter().collect();
    for token in &mut tokens {
        token.set_span(first);
    }
    if let Some(token) = tokens.last_mut() {
        token.set_span(last);
    }
    tokens.into_iter().collect()
}

/// The spans of the first token and of the last.
pub(super) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let spans = || tokens.clone().into_iter().map(|token| token.span());
    let first = spans().next().unwrap_or_else(Span::call_site);
    (first, spans().last().unwrap_or(first))
}
