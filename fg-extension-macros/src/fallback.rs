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
    let marker = program_marker(&[]);
    let is_main = is_main(item);
    let item = author_item(item);
    if is_main {
        // At the top level, rustc would reject an async `main` or one with a parameter.
        quote! { #marker fn main() { #item } }
    } else {
        quote! { #marker #item fn main() {} }
    }
}

/// Returns the author's item alone, for a program that already has a generated `main`.
pub(crate) fn without_main(item: &Item) -> TokenStream {
    let is_main = is_main(item);
    let item = author_item(item);
    if is_main {
        // The program already has a `main`.
        quote! { const _: () = { #item }; }
    } else {
        item
    }
}

/// Returns whether the item is a function named `main`.
fn is_main(item: &Item) -> bool {
    matches!(item, Item::Function(function) if function.signature.ident.unraw() == "main")
}

/// Returns the item without what `lower` reports and rustc would report as well.
fn author_item(item: &Item) -> TokenStream {
    match item {
        Item::Function(function) => {
            let function = without_receiver(function);
            quote! { #[allow(unused)] #function }
        }
        Item::Impl(block) => {
            let block = inherent(block);
            quote! { #[allow(unused)] #block }
        }
        Item::Other(tokens) => tokens.clone(),
    }
}

/// Turns a trait implementation with roles, or the `impl` block of a reference, into an inherent `impl` block of the type.
///
/// The methods do not belong to the trait, and a reference has no inherent methods. `lower` reports the mistake, and rustc
/// would report it as well.
fn inherent(block: &ImplBlock) -> TokenStream {
    let items = &block.items;
    let generics = &block.generics;
    let where_clause = &generics.where_clause;
    let has_roles = items.iter().any(|item| !item.role_attributes.is_empty());
    if block.trait_path.is_some() && has_roles {
        let self_type = &block.self_type;
        let methods = items
            .iter()
            .filter(|item| matches!(item.kind, ImplItemKind::Method(_)));
        quote! { impl #generics #self_type #where_clause { #(#methods)* } }
    } else if let (None, Some(referent)) = (&block.trait_path, block.referent()) {
        quote! { impl #generics #referent #where_clause { #(#items)* } }
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
