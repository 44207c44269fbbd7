//! The arguments `port` of `#[extension]` and of `#[telemetry]`.

use fg_util::port::{DOCUMENTED_TYPO, FIRST, LAST, is_in_range};
use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::literal::{Literal, literal, ungrouped};
use crate::diagnostics::Diagnostics;
use crate::parse::arguments::{PORT_EXAMPLE, TELEMETRY_PORT_EXAMPLE};

/// What the platform posts to a port.
#[derive(Clone, Copy)]
pub(super) enum Posted {
    Events,
    Telemetry,
}

/// D 2707, 2710: 8081 to 8090. A value that is not a literal is a constant expression, which `fg_extension::Port::new`
/// checks.
pub(super) fn lower(
    value: &Expr,
    posted: Posted,
    diagnostics: &mut Diagnostics,
) -> Option<TokenStream> {
    let (payload, example) = match posted {
        Posted::Events => ("events", PORT_EXAMPLE),
        Posted::Telemetry => ("telemetry", TELEMETRY_PORT_EXAMPLE),
    };
    let range = format!("FunctionGraph posts {payload} to ports {FIRST} to {LAST} only");
    let problem = match literal(value) {
        Literal::None => return Some(ungrouped(value).to_token_stream()),
        Literal::Int(digits) => match digits.base10_digits().parse() {
            Ok(port) if is_in_range(port) && matches!(digits.suffix(), "" | "u16") => {
                return Some(ungrouped(value).to_token_stream());
            }
            Ok(port) if is_in_range(port) => {
                format!("port {digits} must be a u16, write `{port}`")
            }
            Ok(DOCUMENTED_TYPO) => format!(
                "port {digits} is out of range: {range}\n\n\
                 = note: the {DOCUMENTED_TYPO} in the example of the platform's documentation is a slip of that page"
            ),
            _ => format!("port {digits} is out of range: {range}"),
        },
        Literal::Negative => format!("port is negative: {range}"),
        Literal::Other => format!("port must be a whole number, as in `{example}`"),
    };
    diagnostics.error(ungrouped(value), problem);
    None
}

/// Replaces `Self`, as in `port = Self::PORT`, by the type: the constant of the port is generated outside of the impl.
pub(super) fn replace_self(expression: TokenStream, self_type: &TokenStream) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => quote_spanned!(ident.span()=> <#self_type>),
        TokenTree::Group(group) => {
            let mut replaced =
                Group::new(group.delimiter(), replace_self(group.stream(), self_type));
            replaced.set_span(group.span());
            TokenTree::Group(replaced).into()
        }
        other => TokenStream::from(other),
    };
    expression.into_iter().flat_map(replace).collect()
}
