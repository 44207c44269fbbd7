//! Parses the item that has `#[extension]`.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature};

use super::conflict::Conflict;
use super::function::Function;
use super::impl_block::ImplBlock;
use super::role::strip_role_attributes;
use crate::diagnostics::{Diagnostics, with_help};

/// The item that has `#[extension]`.
pub(crate) enum Item {
    Function(Function),
    Impl(ImplBlock),
    /// An item that cannot have the attribute; the error is already reported.
    Other(TokenStream),
}

pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Item {
    let is_function = |token: TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
    match diagnostics.check(parse_item.parse2(tokens.clone())) {
        Some(item) => item,
        // rustc itself reports a syntax error in a function.
        None if tokens.clone().into_iter().any(is_function) => Item::Other(TokenStream::new()),
        None => Item::Other(strip_role_attributes(tokens)),
    }
}

fn parse_item(input: ParseStream<'_>) -> syn::Result<Item> {
    let attributes = input.call(Attribute::parse_outer)?;
    let (conflicts, attributes) = attributes
        .into_iter()
        .partition(|attribute| Conflict::of(attribute).is_some());
    if ImplBlock::is_next(input) {
        return ImplBlock::parse(attributes, conflicts, input).map(Item::Impl);
    }
    let start = input.span();
    let visibility = input.parse()?;
    if let Some(other) = other_item(input) {
        let OtherItem { description, help } = other;
        let message = format!("`#[extension]` cannot be used on {description}");
        return Err(syn::Error::new(start, with_help(message, help)));
    }
    Function::parse(attributes, conflicts, visibility, input).map(Item::Function)
}

/// An item that is neither a function nor an `impl` block, as the error message describes it.
struct OtherItem {
    description: String,
    help: String,
}

/// Describes the item, or returns `None` if it is a function.
fn other_item(input: ParseStream<'_>) -> Option<OtherItem> {
    let help = "put it on an `async fn` or an inherent `impl` block".to_owned();
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
        "fn" | "async" => return None,
        word => {
            let description = match word {
                "use" => "an import",
                "extern" => "an `extern` item",
                _ => "a macro",
            };
            return Some(OtherItem {
                description: description.to_owned(),
                help,
            });
        }
    };
    let name = words.next()?;
    Some(OtherItem {
        description: format!("the {kind} `{name}`"),
        help: match kind {
            "struct" | "enum" | "union" => format!("put it on `impl {name}`"),
            _ => help,
        },
    })
}
