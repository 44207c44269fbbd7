//! The output if no program can be generated.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Signature};

use crate::expand::program_marker;
use crate::parse::function::Function;
use crate::parse::impl_block::{ImplBlock, ImplItemKind};
use crate::parse::item::Item;

/// Returns the author's item, so that code that uses it still resolves, and a `main`, so that rustc does not report a
/// missing one.
pub(crate) fn fallback(item: &Item) -> TokenStream {
    let item = match item {
        Item::Function(function) => {
            let is_main = function.signature.ident.unraw() == "main";
            let function = without_receiver(function);
            if is_main {
                // At the top level, rustc would reject an async `main` or one with a parameter.
                quote! { fn main() { #[allow(unused)] #function } }
            } else {
                quote! { #[allow(unused)] #function fn main() {} }
            }
        }
        Item::Impl(block) => {
            let block = without_trait(block);
            quote! { #[allow(unused)] #block fn main() {} }
        }
        Item::Other(tokens) => quote! { #tokens fn main() {} },
    };
    let marker = program_marker(&[]);
    quote! { #marker #item }
}

/// Turns a trait implementation with roles into an inherent `impl` block.
///
/// The methods do not belong to the trait. `lower` reports the mistake, and rustc would report each method as well.
fn without_trait(block: &ImplBlock) -> TokenStream {
    let (self_type, items) = (&block.self_type, &block.items);
    let has_roles = items.iter().any(|item| !item.role_attributes.is_empty());
    if block.trait_path.is_some() && has_roles {
        let generics = &block.generics;
        let where_clause = &generics.where_clause;
        let methods = items
            .iter()
            .filter(|item| matches!(item.kind, ImplItemKind::Method(_)));
        quote! { impl #generics #self_type #where_clause { #(#methods)* } }
    } else {
        block.to_token_stream()
    }
}

/// Removes the receiver of a function, and the body, which may use it.
///
/// `lower` reports the receiver, and rustc would report it as well.
fn without_receiver(function: &Function) -> TokenStream {
    if function.signature.receiver().is_none() {
        return function.to_token_stream();
    }
    let Function {
        attributes,
        conflicts: _,
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
