//! The methods of an `impl` block and their roles.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Meta;

use super::impl_header::{self, ImplHeader, type_name};
use super::signature::{self, Expected};
use super::{conflicts, port, subscription};
use crate::diagnostics::{Diagnostics, with_help};
use crate::model::{Callee, Handlers, Methods, Subscription, TelemetryMethod};
use crate::parse::arguments::{
    TELEMETRY_PORT_EXAMPLE, TYPES_EXAMPLE, TelemetryArguments, parse_telemetry,
};
use crate::parse::function::Function;
use crate::parse::impl_block::{ImplBlock, ImplItemKind};
use crate::parse::role::{Role, RoleAttribute};

/// Returns the methods that generated code can call, or `None` if no program can be generated.
///
/// Invalid methods are left out, except that no program can be generated if the `#[init]` method is invalid.
pub(super) fn lower(block: &ImplBlock, diagnostics: &mut Diagnostics) -> Option<Handlers> {
    let header = impl_header::lower(block, diagnostics)?;
    let [init, invoke, telemetry, shutdown] = assign_roles(block, diagnostics);
    let mut attributes = block.items.iter().flat_map(|item| &item.role_attributes);
    if !attributes.any(|attribute| matches!(attribute.role, Role::Invoke | Role::Telemetry)) {
        let message = with_help(
            format!(
                "`{}` has no method with `#[invoke]` or `#[telemetry]`",
                type_name(&block.self_type)
            ),
            "add a handler, such as `#[invoke] async fn on_invoke(&self, invocation: Invocation)`",
        );
        diagnostics.error(&block.self_type, message);
    }
    let self_type = block.self_type.to_token_stream();
    let mut lower_methods = |methods: &[MethodWithRole<'_>]| -> Vec<_> {
        let methods = methods.iter();
        methods
            .filter_map(|method| lower_method(method, diagnostics))
            .collect()
    };
    let lowered_init = lower_methods(&init);
    let invoke = lower_methods(&invoke);
    let shutdown = lower_methods(&shutdown);
    let telemetry = telemetry
        .iter()
        .filter_map(|method| lower_telemetry(method, &self_type, diagnostics))
        .collect();
    let init_is_complete = lowered_init.is_empty() == init.is_empty();
    (matches!(header, ImplHeader::Valid) && init_is_complete).then(|| {
        Handlers::Impl(Box::new(Methods {
            self_type,
            init: lowered_init,
            invoke,
            telemetry,
            shutdown,
        }))
    })
}

/// A method and the attribute that assigns its role.
#[derive(Clone, Copy)]
struct MethodWithRole<'a> {
    attribute: &'a RoleAttribute,
    method: &'a Function,
}

/// Groups the methods by role, in the order of `Role::ALL`.
fn assign_roles<'a>(
    block: &'a ImplBlock,
    diagnostics: &mut Diagnostics,
) -> [Vec<MethodWithRole<'a>>; 4] {
    let mut roles: [Vec<MethodWithRole<'_>>; 4] = [const { Vec::new() }; 4];
    for item in &block.items {
        if let ImplItemKind::Method(method) = &item.kind {
            let name = &method.signature.ident;
            let help = match item.role_attributes.first() {
                Some(_) => format!("the `impl` block already has it, so remove it from `{name}`"),
                None => {
                    format!("the `impl` block already has it, so write `#[invoke]` on `{name}`")
                }
            };
            conflicts::report(&method.conflicts, &help, diagnostics);
        }
        for attribute in &item.role_attributes {
            let role = attribute.role.name();
            let path = attribute.path();
            if path == "cfg_attr" {
                let message = with_help(
                    format!("`#[{role}]` cannot be used in `#[cfg_attr]`"),
                    format!("write `#[{role}]`, and `#[cfg]` if the method is conditional"),
                );
                diagnostics.error(&attribute.attribute, message);
            } else if path != role {
                let message = with_help(
                    format!("unknown attribute `#[{path}]`"),
                    format!("did you mean `#[{role}]`?"),
                );
                diagnostics.error(&attribute.attribute, message);
            }
        }
        let Some((attribute, others)) = item.role_attributes.split_first() else {
            continue;
        };
        let role = attribute.role.name();
        let method = match &item.kind {
            ImplItemKind::Method(method) => method,
            ImplItemKind::Other(_, Some(error)) => {
                diagnostics.push(error.clone());
                continue;
            }
            ImplItemKind::Other(_, None) => {
                let message = with_help(
                    format!("`#[{role}]` can only be used on a method"),
                    "move it to an `async fn`",
                );
                diagnostics.error(&attribute.attribute, message);
                continue;
            }
        };
        let name = &method.signature.ident;
        for other in others {
            let message = with_help(
                format!("`{name}` already has `#[{role}]`"),
                "remove one of the two attributes",
            );
            diagnostics.error(&other.attribute, message);
        }
        let with_role = &mut roles[attribute.role as usize];
        let current = MethodWithRole { attribute, method };
        // Several methods can have the same role if `#[cfg]` keeps only one of them.
        let is_alternative = |method: &Function| !super::cfgs(&method.attributes).is_empty();
        if let Some(first) = with_role.first()
            && !(is_alternative(method) && is_alternative(first.method))
        {
            let first = &first.method.signature.ident;
            let message = with_help(
                format!("duplicate `#[{role}]`: `{first}` already has it"),
                "remove it from one of the methods",
            );
            diagnostics.error(&attribute.attribute, message);
            // Report the other mistakes of this method too.
            lower_method(&current, diagnostics);
        } else {
            with_role.push(current);
        }
    }
    roles
}

fn lower_method(method: &MethodWithRole<'_>, diagnostics: &mut Diagnostics) -> Option<Callee> {
    let MethodWithRole { attribute, method } = *method;
    let role = attribute.role;
    if role != Role::Telemetry
        && attribute.path() != "cfg_attr"
        && !matches!(attribute.attribute.meta, Meta::Path(_))
    {
        let name = role.name();
        let message = with_help(
            format!("`#[{name}]` does not take arguments"),
            format!("write `#[{name}]`"),
        );
        diagnostics.error(&attribute.attribute, message);
    }
    let name = &method.signature.ident;
    let path = quote!(Self::#name);
    signature::lower(method, path, Expected::of(role), diagnostics)
}

fn lower_telemetry(
    method: &MethodWithRole<'_>,
    self_type: &TokenStream,
    diagnostics: &mut Diagnostics,
) -> Option<TelemetryMethod> {
    let subscription = lower_subscription(method.attribute, diagnostics);
    let method = lower_method(method, diagnostics);
    let Subscription { port, types } = subscription?;
    Some(TelemetryMethod {
        subscription: Subscription {
            port: port::replace_self(port, self_type),
            types,
        },
        method: method?,
    })
}

fn lower_subscription(
    attribute: &RoleAttribute,
    diagnostics: &mut Diagnostics,
) -> Option<Subscription> {
    let arguments = match &attribute.attribute.meta {
        // Only the misspelling is reported.
        Meta::Path(_) if attribute.path() != attribute.role.name() => return None,
        Meta::Path(_) => TelemetryArguments::default(),
        Meta::List(list) if list.path.is_ident("cfg_attr") => return None,
        Meta::List(list) => parse_telemetry(list.tokens.clone(), diagnostics),
        Meta::NameValue(value) => {
            let message = with_help(
                "malformed `#[telemetry]` attribute",
                format!("write `#[telemetry({TELEMETRY_PORT_EXAMPLE}, {TYPES_EXAMPLE})]`"),
            );
            diagnostics.error(value, message);
            return None;
        }
    };
    subscription::lower(&attribute.attribute, &arguments, diagnostics)
}
