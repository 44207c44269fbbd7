//! What comes before the braces of an impl block.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::parse::impl_block::ImplBlock;
use crate::parse::role::Role;

/// What can be checked of the block and generated from it.
pub(super) enum ImplHeader {
    Valid,
    /// No code can be generated. The methods can be checked nevertheless.
    Invalid,
}

/// Returns `None` if the methods cannot be checked either.
pub(super) fn lower(block: &ImplBlock, diagnostics: &mut Diagnostics) -> Option<ImplHeader> {
    let name = type_name(&block.self_type);
    for attribute in &block.attributes {
        if let Some(role) = Role::of(attribute) {
            let message = format!("`#[{}]` goes on a method, not on the `impl`", role.name());
            diagnostics.error(attribute, message);
        }
    }
    if let Some(trait_path) = &block.trait_path {
        diagnostics.error(
            trait_path,
            format!(
                "`#[extension]` goes on an inherent impl, `impl {name}`, not on the impl of a trait"
            ),
        );
        return None;
    }
    if !block.generics.params.is_empty() {
        diagnostics.error(
            &block.generics,
            format!(
                "`{name}` cannot be generic, write a concrete type, as in `impl {name}<String>`"
            ),
        );
        return Some(ImplHeader::Invalid);
    }
    if let Some(lifetime) = borrowed_lifetime(block.self_type.to_token_stream()) {
        diagnostics.error(
            &block.self_type,
            format!(
                "`{name}` cannot borrow for `{lifetime}`, since it lives as long as the process: write `'static`"
            ),
        );
        return Some(ImplHeader::Invalid);
    }
    Some(ImplHeader::Valid)
}

/// Returns `Forwarder` for `crate::sinks::Forwarder<Http>`.
pub(super) fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => return type_name(&group.elem),
        Type::Paren(paren) => return type_name(&paren.elem),
        _ => None,
    }
    .map_or_else(
        || "the type".to_owned(),
        |segment| segment.ident.unraw().to_string(),
    )
}

/// Returns the first lifetime that is not `'static`.
fn borrowed_lifetime(self_type: TokenStream) -> Option<String> {
    let mut tokens = self_type.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(quote) if quote.as_char() == '\'' => {
                let name = tokens.next()?.to_string();
                if name != "static" {
                    return Some(format!("'{name}"));
                }
            }
            TokenTree::Group(group) => {
                if let Some(lifetime) = borrowed_lifetime(group.stream()) {
                    return Some(lifetime);
                }
            }
            _ => {}
        }
    }
    None
}
