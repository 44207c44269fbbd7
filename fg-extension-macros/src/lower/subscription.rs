//! The arguments of `#[telemetry]`: the port and the telemetry types.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{Attribute, Expr};

use super::missing_argument;
use super::port::{self, Payload};
use crate::diagnostics::{Diagnostics, did_you_mean, list, with_help};
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
            with_help(
                "missing arguments `port` and `types`",
                format!("write `#[telemetry({TELEMETRY_PORT_EXAMPLE}, {TYPES_EXAMPLE})]`"),
            ),
        );
        return None;
    }
    let port = match &arguments.port {
        Argument::Given(port) => port::lower(port, Payload::Telemetry, diagnostics),
        Argument::Malformed => None,
        Argument::Absent => {
            let message = missing_argument("port", TELEMETRY_PORT_EXAMPLE);
            diagnostics.error(attribute, message);
            None
        }
    };
    let types = match &arguments.types {
        Argument::Given(types) => lower_types(types, diagnostics),
        Argument::Malformed => None,
        Argument::Absent => {
            let message = missing_argument("types", TYPES_EXAMPLE);
            diagnostics.error(attribute, message);
            None
        }
    };
    let (port, types) = port.zip(types)?;
    Some(Subscription { port, types })
}

/// Checks that the types are `platform`, `function` or `extension`, at least one of them, each at most once (D 2712).
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
            with_help(
                "`types` is empty",
                format!("list at least one of {}", list(&KNOWN)),
            ),
        );
        return None;
    }
    let mut variants = Vec::new();
    let mut seen = Vec::new();
    for element in elements {
        let word = element.to_token_stream().to_string();
        if seen.contains(&word) {
            let message = with_help(
                format!("duplicate telemetry type `{word}`"),
                "remove one of them",
            );
            diagnostics.error(element, message);
        } else if KNOWN.contains(&word.as_str()) {
            let (first, rest) = word.split_at(1);
            let variant = first.to_ascii_uppercase() + rest;
            variants.push(Ident::new(&variant, Span::call_site()));
        } else {
            let help = match did_you_mean(word.trim_matches('"'), &KNOWN) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the telemetry types are {}", list(&KNOWN)),
            };
            let message = with_help(format!("unknown telemetry type `{word}`"), help);
            diagnostics.error(element, message);
        }
        seen.push(word);
    }
    Some(variants)
}
