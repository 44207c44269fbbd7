use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::item::Item;

/// After a mistake: its errors, the author's item, so that what uses it still resolves, and a `main`, so
/// that rustc does not complain of having none.
pub(crate) fn fallback(errors: Option<TokenStream>, item: &Item) -> TokenStream {
    let program = match item {
        // An async `main` with a parameter would be a mistake of its own.
        Item::Function(function) if function.signature.ident.unraw() == "main" => {
            quote! { fn main() { #[allow(dead_code)] #function } }
        }
        Item::Function(function) => quote! { #[allow(dead_code)] #function fn main() {} },
        Item::Block(block) => quote! { #[allow(dead_code)] #block fn main() {} },
        Item::Other(tokens) => quote! { #tokens fn main() {} },
    };
    quote! { #errors #program }
}
