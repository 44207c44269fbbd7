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
    into: &TokenStream,
) -> TokenStream {
    let mut arguments: Vec<_> = receiver.into_iter().collect();
    let mut bind_argument = None;
    if let (Some(argument), Some(parameter)) = (argument, &method.parameter) {
        let (first, last) = ends(parameter);
        let tuple = Ident::new("__argument", first);
        let field = quote_spanned!(last=> .0);
        bind_argument = Some(quote! { let #tuple = (#argument,); });
        let receive = quote_spanned!(first=> __private::Parameter::receive);
        arguments.push(quote! { #receive(#tuple #field) });
    }
    let (first, last) = match &method.output {
        Some(output) => ends(output),
        None => (method.span, method.span),
    };
    let tuple = Ident::new("__output", first);
    let field = quote_spanned!(last=> .0);
    let path = &method.path;
    // All of it, or rustc adds that the attribute introduced the bound.
    let into = into.clone().into_iter().map(|mut token| {
        token.set_span(first);
        token
    });
    let into = quote_spanned!(first=> __private::#(#into)*);
    quote! {
        #bind_argument
        let #tuple = (#path(#(#arguments),*).await,);
        #into(#tuple #field)
    }
}

/// The spans of the first token and of the last.
pub(super) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let spans = || tokens.clone().into_iter().map(|token| token.span());
    let first = spans().next().unwrap_or_else(Span::call_site);
    (first, spans().last().unwrap_or(first))
}
