use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::Model;

/// The program: the author's function, and a `main` that runs an `Extension` made of it.
pub(crate) fn expand(model: Model) -> TokenStream {
    let Model {
        name,
        port,
        function,
        function_name,
        parameter_type,
        return_type,
    } = model;

    // Where the error belongs when a constant is out of range, a parameter is no `Invocation`, or a result
    // cannot be returned. Named at the macro, so that the author's names are not shadowed.
    let port = new_port(&port.to_token_stream());
    let invocation = Ident::new(
        "invocation",
        Span::mixed_site().located_at(parameter_type.span()),
    );
    let outcome = Ident::new("outcome", Span::mixed_site().located_at(return_type.span()));
    let into_outcome = quote_spanned! {return_type.span()=>
        ::fg_extension::__private::IntoOutcome::into_outcome(#outcome)
    };

    // A function called `main` moves into the `main` that is generated.
    let (beside, inside) = if function_name.unraw() == "main" {
        (TokenStream::new(), function)
    } else {
        (function, TokenStream::new())
    };

    quote! {
        #beside

        fn main() -> ::fg_extension::__private::ExitCode {
            #inside

            struct __Extension;

            // A constant of its own, since those of an impl are not checked before they are used.
            const __PORT: ::fg_extension::__private::Port = #port;

            impl ::fg_extension::__private::Extension for __Extension {
                const NAME: ::fg_extension::__private::ExtensionName =
                    ::fg_extension::__private::ExtensionName::new(#name);
                const PORT: ::fg_extension::__private::Port = __PORT;

                async fn init(
                    _: &::fg_extension::__private::Registration,
                ) -> ::fg_extension::__private::Result<Self, ::fg_extension::__private::Error> {
                    ::fg_extension::__private::Result::Ok(Self)
                }

                async fn invoke(
                    &self,
                    #invocation: ::fg_extension::__private::Invocation,
                ) -> ::fg_extension::__private::Result<(), ::fg_extension::__private::Error> {
                    let #outcome = #function_name(#invocation).await;
                    #into_outcome
                }
            }

            ::fg_extension::__private::main::<__Extension>()
        }
    }
}

/// `Port::new(port)`, underlined from the port's first token to its last when the port is out of range.
fn new_port(port: &TokenStream) -> TokenStream {
    let ends = || port.clone().into_iter().map(|token| token.span());
    let first = ends().next().unwrap_or_else(Span::call_site);
    let last = ends().last().unwrap_or_else(Span::call_site);
    let mut argument = Group::new(Delimiter::Parenthesis, port.clone());
    argument.set_span(last);
    let new = quote_spanned! {first=> ::fg_extension::__private::Port::new };
    quote! { #new #argument }
}
