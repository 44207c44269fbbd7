use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Signature};

use crate::item::{Function, Item};

/// After a mistake: its errors, the author's item, so that what uses it still resolves, and a `main`, so
/// that rustc does not complain of having none.
pub(crate) fn fallback(errors: Option<TokenStream>, item: &Item) -> TokenStream {
    let program = match item {
        // An async `main` with a parameter would be a mistake of its own.
        Item::Function(function) if function.signature.ident.unraw() == "main" => {
            let function = without_receiver(function);
            quote! { fn main() { #[allow(dead_code)] #function } }
        }
        Item::Function(function) => {
            let function = without_receiver(function);
            quote! { #[allow(dead_code)] #function fn main() {} }
        }
        Item::Block(block) => quote! { #[allow(dead_code)] #block fn main() {} },
        Item::Other(tokens) => quote! { #tokens fn main() {} },
    };
    quote! { #errors #program }
}

/// A receiver is told of by then: rustc need not say again that a function has none, nor what is wrong with a
/// body that uses it.
fn without_receiver(function: &Function) -> TokenStream {
    if function.signature.receiver().is_none() {
        return function.to_token_stream();
    }
    let Function {
        attributes,
        visibility,
        signature,
        body: _,
    } = function;
    let Signature {
        constness,
        asyncness,
        safety,
        abi,
        fn_token,
        ident,
        generics,
        output,
        ..
    } = signature;
    let inputs = signature
        .inputs
        .iter()
        .filter(|input| !matches!(input, FnArg::Receiver(_)));
    let where_clause = &generics.where_clause;
    quote! {
        #(#attributes)*
        #visibility #constness #asyncness #safety #abi #fn_token #ident #generics (#(#inputs),*) #output #where_clause { loop {} }
    }
}
