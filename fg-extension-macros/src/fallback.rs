use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Signature};

use crate::block::{Block, MemberItem};
use crate::item::{Function, Item};

/// Where there is no program: the author's item, so that what uses it still resolves, and a `main`, so that rustc does
/// not complain of having none.
pub(crate) fn fallback(item: &Item) -> TokenStream {
    match item {
        Item::Function(function) => {
            let is_main = function.signature.ident.unraw() == "main";
            let function = without_receiver(function);
            if is_main {
                // As the program's, an async `main` with a parameter would be a mistake of its own.
                quote! { fn main() { #[allow(unused)] #function } }
            } else {
                quote! { #[allow(unused)] #function fn main() {} }
            }
        }
        Item::Block(block) => {
            let block = without_trait(block);
            quote! { #[allow(unused)] #block fn main() {} }
        }
        Item::Other(tokens) => quote! { #tokens fn main() {} },
    }
}

/// Methods with roles are none of a trait's, and rustc need not say so.
fn without_trait(block: &Block) -> TokenStream {
    let (self_type, members) = (&block.self_type, &block.members);
    let has_roles = members.iter().any(|member| !member.helpers.is_empty());
    if block.of_trait.is_some() && has_roles {
        let generics = &block.generics;
        let where_clause = &generics.where_clause;
        let methods = members
            .iter()
            .filter(|member| matches!(member.item, MemberItem::Method(_)));
        quote! { impl #generics #self_type #where_clause { #(#methods)* } }
    } else {
        block.to_token_stream()
    }
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
