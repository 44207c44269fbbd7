//! The methods of an impl block, and their roles.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::Meta;

use super::arguments::{lower_telemetry, type_name};
use super::signature::{self, Expected, Parameter};
use crate::attr;
use crate::block::{Block, Helper, MemberItem, Role};
use crate::diag::Diagnostics;
use crate::item::Function;
use crate::model::{self, Form, Method, Telemetry};

pub(super) fn lower(block: &Block, diagnostics: &mut Diagnostics) -> Option<Form> {
    lower_head(block, diagnostics)?;
    let roles = assign(block, diagnostics);
    if roles[Role::Invoke as usize].is_none() && roles[Role::Telemetry as usize].is_none() {
        let message = format!(
            "`{}` handles nothing, mark a method: `#[invoke] async fn on_invoke(&self, invocation: Invocation)`",
            type_name(&block.self_type)
        );
        diagnostics.error(&block.self_type, message);
    }
    let [init, invoke, telemetry, shutdown] = roles;
    let init = lower_method(init, diagnostics);
    let invoke = lower_method(invoke, diagnostics);
    let telemetry = telemetry.and_then(|marked| {
        let subscription = lower_subscription(marked.helper, diagnostics);
        let method = lower_method(Some(marked), diagnostics);
        let (port, types) = subscription?;
        Some(Telemetry {
            port,
            types,
            method: method?,
        })
    });
    let shutdown = lower_method(shutdown, diagnostics);
    Some(Form::Block(Box::new(model::Block {
        self_type: block.self_type.to_token_stream(),
        init,
        invoke,
        telemetry,
        shutdown,
    })))
}

/// What is before the braces.
fn lower_head(block: &Block, diagnostics: &mut Diagnostics) -> Option<()> {
    let name = type_name(&block.self_type);
    if let Some(of_trait) = &block.of_trait {
        diagnostics.error(
            of_trait,
            format!(
                "`#[extension]` goes on an inherent impl, `impl {name}`, not on the impl of a trait"
            ),
        );
        return None;
    }
    if !block.generics.params.is_empty() {
        diagnostics.error(
            &block.generics,
            format!("`{name}` cannot be generic, since the platform makes it: remove this"),
        );
        return None;
    }
    Some(())
}

/// A method, and the attribute that gives it its role.
#[derive(Clone, Copy)]
struct Marked<'a> {
    helper: &'a Helper,
    method: &'a Function,
}

/// Who has which role, in the order of `Role::ALL`.
fn assign<'a>(block: &'a Block, diagnostics: &mut Diagnostics) -> [Option<Marked<'a>>; 4] {
    let mut roles: [Option<Marked<'_>>; 4] = [None; 4];
    for member in &block.members {
        for helper in &member.helpers {
            let role = helper.role.name();
            let word = helper.word();
            if word != role {
                let message = format!("unknown attribute `#[{word}]`, did you mean `#[{role}]`?");
                diagnostics.error(&helper.attribute, message);
            }
        }
        let Some((helper, others)) = member.helpers.split_first() else {
            continue;
        };
        let role = helper.role.name();
        let MemberItem::Method(method) = &member.item else {
            let message = format!("`#[{role}]` goes on an async method");
            diagnostics.error(&helper.attribute, message);
            continue;
        };
        let name = &method.signature.ident;
        for other in others {
            let message = format!("`{name}` is marked twice, leave one attribute");
            diagnostics.error(&other.attribute, message);
        }
        match &mut roles[helper.role as usize] {
            Some(first) => {
                let first = &first.method.signature.ident;
                let message =
                    format!("`#[{role}]` is on `{first}` already, leave it on one method");
                diagnostics.error(&helper.attribute, message);
            }
            free => *free = Some(Marked { helper, method }),
        }
    }
    roles
}

fn lower_method(marked: Option<Marked<'_>>, diagnostics: &mut Diagnostics) -> Option<Method> {
    let Marked { helper, method } = marked?;
    let role = helper.role;
    if role != Role::Telemetry && !matches!(helper.attribute.meta, Meta::Path(_)) {
        let message = format!("`#[{0}]` takes no arguments, write `#[{0}]`", role.name());
        diagnostics.error(&helper.attribute, message);
    }
    let expected = Expected {
        receiver: role != Role::Init,
        parameter: match role {
            Role::Init => Parameter::Optional("registration: &Registration"),
            Role::Invoke => Parameter::One("invocation: Invocation"),
            Role::Telemetry => Parameter::One("events: Vec<TelemetryEvent>"),
            Role::Shutdown => Parameter::None,
        },
    };
    let name = &method.signature.ident;
    signature::lower(method, quote!(Self::#name), expected, diagnostics)
}

fn lower_subscription(
    helper: &Helper,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, Vec<Ident>)> {
    let arguments = match &helper.attribute.meta {
        Meta::Path(_) => attr::TelemetryArguments::default(),
        Meta::List(list) => attr::telemetry(list.tokens.clone(), diagnostics),
        Meta::NameValue(value) => {
            let message = "`#[telemetry]` takes arguments in parentheses, \
                           write `#[telemetry(port = 8082, types(platform, function, extension))]`";
            diagnostics.error(value, message);
            return None;
        }
    };
    lower_telemetry(&helper.attribute, &arguments, diagnostics)
}
