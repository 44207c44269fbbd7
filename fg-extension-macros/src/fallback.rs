use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::item::Function;

/// After a mistake: its errors, the author's item, so that what uses it still resolves, and a `main`, so
/// that rustc does not complain of having none.
pub(crate) fn fallback(
    errors: Option<TokenStream>,
    function: Option<&Function>,
    tokens: TokenStream,
) -> TokenStream {
    let program = match function {
        // An async `main` with a parameter would be a mistake of its own.
        Some(function) if function.signature.ident.unraw() == "main" => {
            quote! { fn main() { #[allow(dead_code)] #function } }
        }
        Some(function) => quote! { #[allow(dead_code)] #function fn main() {} },
        None => quote! { #tokens fn main() {} },
    };
    quote! { #errors #program }
}
