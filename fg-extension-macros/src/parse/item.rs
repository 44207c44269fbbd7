//! The item that has `#[extension]`: a function, an impl block, or something that cannot have it.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature};

use super::function::Function;
use super::impl_block::ImplBlock;
use super::role::strip_role_attributes;
use crate::diagnostics::Diagnostics;

/// The item that has the attribute.
pub(crate) enum Item {
    Function(Function),
    Impl(ImplBlock),
    /// An item that cannot have the attribute, which is already reported.
    Other(TokenStream),
}

pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Item {
    let is_function = |token: TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
    match diagnostics.check(parse_item.parse2(tokens.clone())) {
        Some(item) => item,
        // rustc reports the syntax error in a function itself.
        None if tokens.clone().into_iter().any(is_function) => Item::Other(TokenStream::new()),
        None => Item::Other(strip_role_attributes(tokens)),
    }
}

fn parse_item(input: ParseStream<'_>) -> syn::Result<Item> {
    let attributes = input.call(Attribute::parse_outer)?;
    if ImplBlock::is_next(input) {
        return ImplBlock::parse(attributes, input).map(Item::Impl);
    }
    let start = input.span();
    let visibility = input.parse()?;
    if let Some(other) = other_kind(input) {
        let message = format!(
            "`#[extension]` goes on an `async fn` or an inherent `impl` block, not on {other}"
        );
        return Err(syn::Error::new(start, message));
    }
    Function::parse(attributes, visibility, input).map(Item::Function)
}

/// Describes the item for an error message, if it is not a function.
fn other_kind(input: ParseStream<'_>) -> Option<String> {
    if input.fork().parse::<Signature>().is_ok() {
        return None;
    }
    let tokens: TokenStream = input.fork().parse().ok()?;
    let mut words = tokens.into_iter().map(|token| token.to_string());
    let word = words.find(|word| !matches!(word.as_str(), "unsafe" | "auto" | "default"))?;
    let mut words = words.filter(|word| word != "mut");
    let kind = match word.as_str() {
        "struct" => "struct",
        "enum" => "enum",
        "union" => "union",
        "mod" => "module",
        "trait" => "trait",
        "const" => "constant",
        "static" => "static",
        "type" => "type alias",
        "use" => return Some("an import".to_owned()),
        "extern" => return Some("an `extern` item".to_owned()),
        "fn" | "async" => return None,
        _ => return Some("a macro".to_owned()),
    };
    let name = words.next()?;
    let hint = match kind {
        "struct" | "enum" | "union" => format!(": put it on `impl {name}`"),
        _ => String::new(),
    };
    Some(format!("the {kind} `{name}`{hint}"))
}
