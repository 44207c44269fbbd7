//! The methods of an impl block, and their roles.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Meta;

use super::arguments::{lower_telemetry, type_name};
use super::signature::{self, Expected, Parameter};
use crate::attr::{self, TELEMETRY_PORT, TYPES};
use crate::block::{Block, Helper, MemberItem, Role};
use crate::diag::Diagnostics;
use crate::item::Function;
use crate::model::{Form, Method, Methods, Telemetry};

/// What can be generated of the block, unless that is nothing. A method with a mistake is left out, but for
/// `init`, without which there is no extension.
pub(super) fn lower(block: &Block, diagnostics: &mut Diagnostics) -> Option<Form> {
    let head_is_right = lower_head(block, diagnostics)?;
    let [init, invoke, telemetry, shutdown] = assign(block, diagnostics);
    let mut helpers = block.members.iter().flat_map(|member| &member.helpers);
    if !helpers.any(|helper| matches!(helper.role, Role::Invoke | Role::Telemetry)) {
        let message = format!(
            "`{}` handles nothing, mark a method: `#[invoke] async fn on_invoke(&self, invocation: Invocation)`",
            type_name(&block.self_type)
        );
        diagnostics.error(&block.self_type, message);
    }
    let self_type = block.self_type.to_token_stream();
    let mut lower_methods = |marked: &[Marked<'_>]| -> Vec<_> {
        let method = |marked: &Marked<'_>| lower_method(marked, diagnostics);
        marked.iter().filter_map(method).collect()
    };
    let lowered_init = lower_methods(&init);
    let invoke = lower_methods(&invoke);
    let shutdown = lower_methods(&shutdown);
    let telemetry = telemetry.iter().filter_map(|marked| {
        let subscription = lower_subscription(marked.helper, diagnostics);
        let method = lower_method(marked, diagnostics);
        let (port, types) = subscription?;
        Some(Telemetry {
            port: super::name_self(port, &self_type),
            types,
            method: method?,
        })
    });
    let telemetry = telemetry.collect();
    let init_is_there = lowered_init.is_empty() == init.is_empty();
    (head_is_right && init_is_there).then(|| {
        Form::Block(Box::new(Methods {
            self_type,
            init: lowered_init,
            invoke,
            telemetry,
            shutdown,
        }))
    })
}

/// Whether what is before the braces is right. Nothing, if what is in them makes no sense.
fn lower_head(block: &Block, diagnostics: &mut Diagnostics) -> Option<bool> {
    let name = type_name(&block.self_type);
    for attribute in &block.attributes {
        if let Some(role) = Role::exactly(attribute) {
            let message = format!("`#[{}]` goes on a method, not on the `impl`", role.name());
            diagnostics.error(attribute, message);
        }
    }
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
            format!(
                "`{name}` cannot be generic, write a concrete type, as in `impl {name}<String>`"
            ),
        );
        return Some(false);
    }
    if let Some(lifetime) = borrowed(block.self_type.to_token_stream()) {
        diagnostics.error(
            &block.self_type,
            format!(
                "`{name}` cannot borrow for `{lifetime}`, since it lives as long as the process: write `'static`"
            ),
        );
        return Some(false);
    }
    Some(true)
}

/// A lifetime in there that is not `'static`.
fn borrowed(self_type: TokenStream) -> Option<String> {
    let mut tokens = self_type.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(quote) if quote.as_char() == '\'' => {
                let name = tokens.next()?.to_string();
                if name != "static" {
                    return Some(format!("'{name}"));
                }
            }
            TokenTree::Group(group) => {
                if let Some(lifetime) = borrowed(group.stream()) {
                    return Some(lifetime);
                }
            }
            _ => {}
        }
    }
    None
}

/// A method, and the attribute that gives it its role.
#[derive(Clone, Copy)]
struct Marked<'a> {
    helper: &'a Helper,
    method: &'a Function,
}

/// Who has which role, in the order of `Role::ALL`.
fn assign<'a>(block: &'a Block, diagnostics: &mut Diagnostics) -> [Vec<Marked<'a>>; 4] {
    let mut roles: [Vec<Marked<'_>>; 4] = [const { Vec::new() }; 4];
    for member in &block.members {
        for helper in &member.helpers {
            let role = helper.role.name();
            let word = helper.word();
            if word == "cfg_attr" {
                let message = format!(
                    "`#[cfg_attr]` gives no role, write `#[{role}]` and `#[cfg]` on a method"
                );
                diagnostics.error(&helper.attribute, message);
            } else if word != role {
                let message = format!("unknown attribute `#[{word}]`, did you mean `#[{role}]`?");
                diagnostics.error(&helper.attribute, message);
            }
        }
        let Some((helper, others)) = member.helpers.split_first() else {
            continue;
        };
        let role = helper.role.name();
        let method = match &member.item {
            MemberItem::Method(method) => method,
            MemberItem::Other(_, Some(error)) => {
                diagnostics.push(error.clone());
                continue;
            }
            MemberItem::Other(_, None) => {
                let message = format!("`#[{role}]` goes on an async method");
                diagnostics.error(&helper.attribute, message);
                continue;
            }
        };
        let name = &method.signature.ident;
        for other in others {
            let message = format!("`{name}` is marked twice, leave one attribute");
            diagnostics.error(&other.attribute, message);
        }
        let marked = &mut roles[helper.role as usize];
        // Alternatives are fine: which of them there is, `#[cfg]` decides.
        let is_alternative = |method: &Function| !super::cfgs(&method.attributes).is_empty();
        if let Some(first) = marked.first()
            && !(is_alternative(method) && is_alternative(first.method))
        {
            let first = &first.method.signature.ident;
            let message = format!("`#[{role}]` is on `{first}` already, leave it on one method");
            diagnostics.error(&helper.attribute, message);
            // It may have mistakes of its own.
            lower_method(&Marked { helper, method }, diagnostics);
        } else {
            marked.push(Marked { helper, method });
        }
    }
    roles
}

fn lower_method(marked: &Marked<'_>, diagnostics: &mut Diagnostics) -> Option<Method> {
    let Marked { helper, method } = *marked;
    let role = helper.role;
    if role != Role::Telemetry
        && helper.word() != "cfg_attr"
        && !matches!(helper.attribute.meta, Meta::Path(_))
    {
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
        // What it is called is told first.
        Meta::Path(_) if helper.word() != helper.role.name() => return None,
        Meta::Path(_) => attr::TelemetryArguments::default(),
        Meta::List(list) if list.path.is_ident("cfg_attr") => return None,
        Meta::List(list) => attr::telemetry(list.tokens.clone(), diagnostics),
        Meta::NameValue(value) => {
            let message = format!(
                "`#[telemetry]` takes arguments in parentheses, write `#[telemetry({TELEMETRY_PORT}, {TYPES})]`"
            );
            diagnostics.error(value, message);
            return None;
        }
    };
    lower_telemetry(&helper.attribute, &arguments, diagnostics)
}
