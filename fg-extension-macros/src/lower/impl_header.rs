//! The header of an `impl` block, which is everything before its braces.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;
use syn::ext::IdentExt;

use super::conflicts;
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
    conflicts::report(&block.conflicts, "remove one of them", diagnostics);
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
    if let Some(referent) = block.referent() {
        let referent = with_static_lifetimes(referent)
            .unwrap_or_else(|| format_type(referent.to_token_stream()));
        diagnostics.error(
            &block.self_type,
            with_help(
                "`#[extension]` cannot be used on an `impl` block of a reference",
                format!("implement it for the type itself: write `impl {referent}`"),
            ),
        );
        return Some(ImplHeader::Invalid);
    }
    let generics = &block.generics;
    let cannot_borrow = |help| {
        let message = "cannot borrow data, because an extension lives as long as its process";
        with_help(format!("`{name}` {message}"), help)
    };
    let static_type = with_static_lifetimes(&block.self_type);
    if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        diagnostics.error(
            generics,
            with_help(
                "`#[extension]` cannot be used on a generic `impl` block",
                format!("write a concrete type, such as `impl {name}<String>`"),
            ),
        );
    } else if !generics.params.is_empty() {
        let message = match static_type {
            Some(static_type) => cannot_borrow(format!("write `impl {static_type}`")),
            None => with_help("unused lifetime", "remove it"),
        };
        diagnostics.error(generics, message);
    } else if let Some(static_type) = static_type {
        let message = cannot_borrow(format!("write `impl {static_type}`"));
        diagnostics.error(&block.self_type, message);
    } else {
        return Some(ImplHeader::Valid);
    }
    Some(ImplHeader::Invalid)
}

/// Returns the name of the type, as in `Forwarder` for `&crate::sinks::Forwarder<Http>`.
pub(super) fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => return type_name(&group.elem),
        Type::Paren(paren) => return type_name(&paren.elem),
        Type::Reference(reference) => return type_name(&reference.elem),
        _ => None,
    }
    .map_or_else(
        || "the type".to_owned(),
        |segment| segment.ident.unraw().to_string(),
    )
}

/// Returns the type with `'static` in place of every other lifetime, or `None` if it has no other lifetime.
fn with_static_lifetimes(self_type: &Type) -> Option<String> {
    let mut changed = false;
    let tokens = replace_lifetimes(self_type.to_token_stream(), &mut changed);
    changed.then(|| format_type(tokens))
}

/// Returns the type as rustfmt writes it.
fn format_type(tokens: TokenStream) -> String {
    let mut text = tokens.to_string();
    for (written, formatted) in [
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ::", "::"),
        (":: ", "::"),
        (" ,", ","),
    ] {
        text = text.replace(written, formatted);
    }
    text
}

fn replace_lifetimes(tokens: TokenStream, changed: &mut bool) -> TokenStream {
    let mut replaced = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut is_after_word = false;
    let is_quote =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '\'');
    while let Some(token) = tokens.next() {
        let is_word = matches!(token, TokenTree::Ident(_));
        match token {
            token if is_quote(&token) => {
                let is_static = tokens
                    .next()
                    .is_some_and(|name| name.to_string() == "static");
                *changed |= !is_static;
                replaced.extend(quote!('static));
            }
            TokenTree::Punct(and)
                if and.as_char() == '&' && tokens.peek().is_some_and(|next| !is_quote(next)) =>
            {
                *changed = true;
                replaced.extend(quote!(&'static));
            }
            // The parameters of a function type, as in `fn(&str)`, have lifetimes of their own.
            TokenTree::Group(group) if !is_after_word => {
                let inner = replace_lifetimes(group.stream(), changed);
                replaced.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            token => replaced.extend([token]),
        }
        is_after_word = is_word;
    }
    replaced
}
