use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
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
    // cannot be returned.
    let port = quote_spanned! {port.span()=> ::fg_extension::__private::Port::new(#port) };
    let invocation = quote_spanned! {parameter_type.span()=> invocation };
    let into_outcome =
        quote_spanned! {return_type.span()=> ::fg_extension::__private::IntoOutcome::into_outcome };

    // A function called `main` moves into the `main` that is generated.
    let (beside, inside) = if function_name == "main" {
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
                    invocation: ::fg_extension::__private::Invocation,
                ) -> ::fg_extension::__private::Result<(), ::fg_extension::__private::Error> {
                    #into_outcome(#function_name(#invocation).await)
                }
            }

            ::fg_extension::__private::main::<__Extension>()
        }
    }
}
