//! Generates the calls of the author's functions.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::spans::{first_and_last, respan};
use crate::model::Callee;

/// Returns a call of the author's function, with the result converted by the function `into`.
///
/// The function receives as many of the arguments as it has parameters.
///
/// rustc reports a wrong type at the argument of the call, so each argument gets the span of the type that the author
/// wrote. An expression that spans several tokens needs several tokens of its own, so the argument is a field of a
/// one-element tuple: the tuple has the span of the type's first token, the field that of the last. With these spans the
/// names of the tuples are resolved among the author's names, so they start with `__` to avoid conflicts.
pub(super) fn call(
    callee: &Callee,
    receiver: Option<TokenStream>,
    arguments: &[Ident],
    into: TokenStream,
) -> TokenStream {
    let mut tuples = TokenStream::new();
    let mut converted: Vec<_> = receiver.into_iter().collect();
    for (argument, parameter) in arguments.iter().zip(&callee.parameters) {
        let (first, last) = first_and_last(parameter);
        let tuple = Ident::new(&format!("__{argument}"), first);
        let field = quote_spanned!(last=> .0);
        let receive = respan(quote!(__private::Parameter::receive), first, last);
        tuples.extend(quote! { let #tuple = (#argument,); });
        converted.push(quote! { #receive(#tuple #field) });
    }
    let (first, last) = match &callee.output {
        Some(output) => first_and_last(output),
        None => (callee.span, callee.span),
    };
    let output = Ident::new("__output", first);
    let field = quote_spanned!(last=> .0);
    // Without the span of the argument, rustc would add a note that the path requires the trait.
    let into = respan(into, first, last);
    let path = &callee.path;
    let dot_await = callee.is_async.then(|| quote!(.await));
    quote! {
        #tuples
        let #output = (#path(#(#converted),*) #dot_await,);
        #into(#output #field)
    }
}

/// Returns the patterns that bind the arguments, with `_` for those that the function does not take.
pub(super) fn patterns(callee: &Callee, arguments: &[Ident]) -> Vec<TokenStream> {
    let (passed, others) = arguments.split_at(callee.parameters.len());
    let passed = passed.iter().map(|argument| quote!(#argument));
    passed.chain(others.iter().map(|_| quote!(_))).collect()
}
