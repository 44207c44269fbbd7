//! The header of an `impl` block, which is everything before its braces.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;
use syn::ext::IdentExt;

use crate::diagnostics::{Diagnostics, with_help};
use crate::parse::impl_block::ImplBlock;
use crate::parse::role::Role;

/// Whether code can be generated for the block.
pub(super) enum ImplHeader {
    Valid,
    /// No code can be generated, but the methods can still be checked.
    Invalid,
}

/// Checks the header. Returns `None` if the methods cannot be checked either.
pub(super) fn lower(block: &ImplBlock, diagnostics: &mut Diagnostics) -> Option<ImplHeader> {
    let name = type_name(&block.self_type);
    for attribute in &block.attributes {
        if let Some(role) = Role::of(attribute) {
            let message = with_help(
                format!("`#[{}]` cannot be used on an `impl` block", role.name()),
                "move it to a method of the block",
            );
            diagnostics.error(attribute, message);
        }
    }
    if let Some(trait_path) = &block.trait_path {
        diagnostics.error(
            trait_path,
            with_help(
                "`#[extension]` cannot be used on the implementation of a trait",
                format!("put it on an inherent `impl` block: `impl {name}`"),
            ),
        );
        return None;
    }
    if !block.generics.params.is_empty() {
        diagnostics.error(
            &block.generics,
            with_help(
                "`#[extension]` cannot be used on a generic `impl` block",
                format!("write a concrete type, such as `impl {name}<String>`"),
            ),
        );
        return Some(ImplHeader::Invalid);
    }
    if let Some(lifetime) = borrowed_lifetime(block.self_type.to_token_stream()) {
        diagnostics.error(
            &block.self_type,
            with_help(
                format!("`{name}` cannot borrow data: an extension lives as long as its process"),
                format!("write `'static` instead of `{lifetime}`"),
            ),
        );
        return Some(ImplHeader::Invalid);
    }
    Some(ImplHeader::Valid)
}

/// Returns the name of the type, as in `Forwarder` for `crate::sinks::Forwarder<Http>`.
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
