//! The `port` arguments of `#[extension]` and `#[telemetry]`.

use fg_util::port::{DOCUMENTED_TYPO, FIRST, LAST, is_in_range};
use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::literal::{Literal, literal, ungrouped};
use crate::diagnostics::{Diagnostics, with_help};
use crate::parse::arguments::{PORT_EXAMPLE, TELEMETRY_PORT_EXAMPLE};

/// What the platform posts to the port.
#[derive(Clone, Copy)]
pub(super) enum Payload {
    Events,
    Telemetry,
}

/// Checks that the port is from 8081 to 8090 (D 2707, 2711).
///
/// A value that is not a literal is a constant expression, which `fg_extension::Port::new` checks.
pub(super) fn lower(
    value: &Expr,
    payload: Payload,
    diagnostics: &mut Diagnostics,
) -> Option<TokenStream> {
    let (payload, example) = match payload {
        Payload::Events => ("events", PORT_EXAMPLE),
        Payload::Telemetry => ("telemetry", TELEMETRY_PORT_EXAMPLE),
    };
    let range = format!("FunctionGraph posts {payload} to ports {FIRST} to {LAST} only");
    let message = match literal(value) {
        Literal::Expression => return Some(ungrouped(value).to_token_stream()),
        Literal::Int(digits) => match digits.base10_digits().parse() {
            Ok(port) if is_in_range(port) && matches!(digits.suffix(), "" | "u16") => {
                return Some(ungrouped(value).to_token_stream());
            }
            Ok(port) if is_in_range(port) => with_help(
                format!("port {digits} is not a `u16`"),
                format!("write `{port}`"),
            ),
            Ok(DOCUMENTED_TYPO) => with_help(
                format!("port {digits} is out of range: {range}"),
                format!("the {DOCUMENTED_TYPO} in FunctionGraph's documentation is a typo"),
            ),
            _ => format!("port {digits} is out of range: {range}"),
        },
        Literal::NegativeInt => format!("port cannot be negative: {range}"),
        Literal::Other => with_help("`port` must be an integer", format!("write `{example}`")),
    };
    diagnostics.error(ungrouped(value), message);
    None
}

/// Replaces `Self`, as in `port = Self::PORT`, with the type.
///
/// The constant for the port is generated outside of the `impl` block, where `Self` has no meaning. Before `::`,
/// the type is in angle brackets, which would be a syntax error elsewhere.
pub(super) fn replace_self(expression: TokenStream, self_type: &TokenStream) -> TokenStream {
    let mut tokens = expression.into_iter().peekable();
    let mut replaced = TokenStream::new();
    while let Some(token) = tokens.next() {
        let mut is_before_colon = || {
            let next = tokens.peek();
            matches!(next, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
        };
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                replaced.extend(match is_before_colon() {
                    true => quote_spanned!(ident.span()=> <#self_type>),
                    false => quote_spanned!(ident.span()=> #self_type),
                })
            }
            TokenTree::Group(group) => {
                let mut inner =
                    Group::new(group.delimiter(), replace_self(group.stream(), self_type));
                inner.set_span(group.span());
                replaced.extend([TokenTree::Group(inner)]);
            }
            other => replaced.extend([other]),
        }
    }
    replaced
}
