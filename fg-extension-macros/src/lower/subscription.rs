//! The arguments of `#[telemetry]`: the port and the types of telemetry.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{Attribute, Expr};

use super::missing_argument;
use super::port::{self, Posted};
use crate::diagnostics::{Diagnostics, did_you_mean, list};
use crate::model::Subscription;
use crate::parse::arguments::{
    Argument, TELEMETRY_PORT_EXAMPLE, TYPES_EXAMPLE, TelemetryArguments,
};

pub(super) fn lower(
    attribute: &Attribute,
    arguments: &TelemetryArguments,
    diagnostics: &mut Diagnostics,
) -> Option<Subscription> {
    if matches!(
        (&arguments.port, &arguments.types),
        (Argument::Absent, Argument::Absent)
    ) {
        diagnostics.error(
            attribute,
            format!(
                "`#[telemetry]` has a port and types, write `#[telemetry({TELEMETRY_PORT_EXAMPLE}, {TYPES_EXAMPLE})]`"
            ),
        );
        return None;
    }
    let port = match &arguments.port {
        Argument::Given(port) => port::lower(port, Posted::Telemetry, diagnostics),
        Argument::Unreadable => None,
        Argument::Absent => {
            let message = missing_argument("port", TELEMETRY_PORT_EXAMPLE);
            diagnostics.error(attribute, message);
            None
        }
    };
    let types = match &arguments.types {
        Argument::Given(types) => lower_types(types, diagnostics),
        Argument::Unreadable => None,
        Argument::Absent => {
            let message = missing_argument("types", TYPES_EXAMPLE);
            diagnostics.error(attribute, message);
            None
        }
    };
    let (port, types) = port.zip(types)?;
    Some(Subscription { port, types })
}

/// D 2710: `platform`, `function` and `extension`, each at most once, and one at least.
fn lower_types(types: &Expr, diagnostics: &mut Diagnostics) -> Option<Vec<Ident>> {
    const KNOWN: [&str; 3] = ["platform", "function", "extension"];
    let elements: Vec<&Expr> = match types {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        Expr::Paren(paren) => vec![&paren.expr],
        other => vec![other],
    };
    if elements.is_empty() {
        diagnostics.error(
            types,
            format!(
                "types are empty, name what is subscribed to: {}",
                list(&KNOWN)
            ),
        );
        return None;
    }
    let mut variants = Vec::new();
    let mut seen = Vec::new();
    for element in elements {
        let word = element.to_token_stream().to_string();
        if seen.contains(&word) {
            let message = format!("telemetry type `{word}` is given twice, write it once");
            diagnostics.error(element, message);
        } else if KNOWN.contains(&word.as_str()) {
            let (first, rest) = word.split_at(1);
            let variant = first.to_ascii_uppercase() + rest;
            variants.push(Ident::new(&variant, Span::call_site()));
        } else {
            let message = match did_you_mean(word.trim_matches('"'), &KNOWN) {
                Some(meant) => {
                    format!("unknown telemetry type `{word}`, did you mean `{meant}`?")
                }
                None => format!(
                    "unknown telemetry type `{word}`, there are {}",
                    list(&KNOWN)
                ),
            };
            diagnostics.error(element, message);
        }
        seen.push(word);
    }
    Some(variants)
}
