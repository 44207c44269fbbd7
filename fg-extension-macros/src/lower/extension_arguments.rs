//! The arguments of `#[extension]` together: which are missing, and what replaces those with a mistake.

use std::time::Duration;

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use super::port::{self, Posted};
use super::{crate_path, missing_argument, script_name, timeout};
use crate::diagnostics::Diagnostics;
use crate::parse::arguments::{Argument, ExtensionArguments, PORT_EXAMPLE};

/// The arguments as generated code has them. A placeholder replaces a name or a port with a mistake.
pub(super) struct LoweredArguments {
    /// `None` after a mistake: without the path no code can be generated.
    pub(super) crate_path: Option<TokenStream>,
    pub(super) name: TokenStream,
    pub(super) port: TokenStream,
    pub(super) timeout: Option<Duration>,
}

/// The name of the function or of the type, `item_name`, is the base of a suggested script name.
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
        Argument::Unreadable => None,
        Argument::Absent => {
            let message = match port {
                // One example says more than two lines about what is missing.
                Argument::Absent => format!(
                    "an extension has a name and a port, write `#[extension(name = {suggested:?}, {PORT_EXAMPLE})]`"
                ),
                _ => missing_argument("name", &format!("name = {suggested:?}")),
            };
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
    };
    let lowered_port = match (port, name) {
        (Argument::Given(port), _) => port::lower(port, Posted::Events, diagnostics),
        // Reported together with the name.
        (Argument::Absent, Argument::Absent) | (Argument::Unreadable, _) => None,
        (Argument::Absent, _) => {
            let message = missing_argument("port", PORT_EXAMPLE);
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
    };
    let timeout = match timeout {
        Argument::Given(timeout) => timeout::lower(timeout, diagnostics),
        Argument::Absent | Argument::Unreadable => None,
    };
    let crate_path = match crate_path {
        Argument::Given(path) => crate_path::lower(path, diagnostics),
        Argument::Absent => Some(quote!(::fg_extension)),
        Argument::Unreadable => None,
    };
    LoweredArguments {
        crate_path,
        name: lowered_name.unwrap_or_else(|| quote!("extensionHello.sh")),
        port: lowered_port
            .unwrap_or_else(|| Literal::u16_unsuffixed(fg_util::port::FIRST).to_token_stream()),
        timeout,
    }
}
