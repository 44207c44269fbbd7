//! The arguments of `#[extension]`: reports missing ones and substitutes placeholders for invalid ones.

use std::time::Duration;

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use super::port::{self, Payload};
use super::{crate_path, missing_argument, script_name, timeout};
use crate::diagnostics::{Diagnostics, with_help};
use crate::parse::arguments::{Argument, ExtensionArguments, PORT_EXAMPLE};

/// The arguments as generated code uses them. A placeholder replaces an invalid name or port.
pub(super) struct LoweredArguments {
    /// `None` if the path is invalid: no code can be generated without it.
    pub(super) crate_path: Option<TokenStream>,
    pub(super) name: TokenStream,
    pub(super) port: TokenStream,
    pub(super) timeout: Option<Duration>,
}

/// Validates the arguments.
///
/// `item_name` is the name of the function or the type, from which a script name is suggested.
pub(super) fn lower(
    arguments: &ExtensionArguments,
    item_name: &str,
    diagnostics: &mut Diagnostics,
) -> LoweredArguments {
    let ExtensionArguments {
        name,
        port,
        timeout,
        crate_path,
    } = arguments;
    let suggested = match item_name {
        "main" => script_name::suggest(""),
        name => script_name::suggest(name),
    };
    let lowered_name = match name {
        Argument::Given(name) => script_name::lower(name, diagnostics),
        Argument::Malformed => None,
        Argument::Absent => {
            let message = match port {
                // Report both in one error.
                Argument::Absent => with_help(
                    "missing arguments `name` and `port`",
                    format!("write `#[extension(name = {suggested:?}, {PORT_EXAMPLE})]`"),
                ),
                _ => missing_argument("name", &format!("name = {suggested:?}")),
            };
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
    };
    let lowered_port = match (port, name) {
        (Argument::Given(port), _) => port::lower(port, Payload::Events, diagnostics),
        // A missing port is reported together with a missing name.
        (Argument::Absent, Argument::Absent) | (Argument::Malformed, _) => None,
        (Argument::Absent, _) => {
            let message = missing_argument("port", PORT_EXAMPLE);
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
    };
    let timeout = match timeout {
        Argument::Given(timeout) => timeout::lower(timeout, diagnostics),
        Argument::Absent | Argument::Malformed => None,
    };
    let crate_path = match crate_path {
        Argument::Given(path) => crate_path::lower(path, diagnostics),
        Argument::Absent => Some(quote!(::fg_extension)),
        Argument::Malformed => None,
    };
    LoweredArguments {
        crate_path,
        name: lowered_name.unwrap_or_else(|| quote!("extensionHello.sh")),
        port: lowered_port
            .unwrap_or_else(|| Literal::u16_unsuffixed(fg_util::port::FIRST).to_token_stream()),
        timeout,
    }
}
