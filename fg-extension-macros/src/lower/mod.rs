//! Validates the arguments and the item: every rule that the author must follow is here.

mod conflicts;
mod crate_path;
mod extension_arguments;
mod impl_header;
mod literal;
mod methods;
mod port;
mod script_name;
mod signature;
mod subscription;
mod timeout;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Meta};

use crate::diagnostics::{Diagnostics, with_help};
use crate::model::{Callee, Handlers, Model};
use crate::parse::arguments::ExtensionArguments;
use crate::parse::function::Function;
use crate::parse::item::Item;
use crate::parse::role::Role;
use impl_header::type_name;
use signature::Expected;

/// Returns the model of the program, or `None` if no program can be generated.
///
/// Invalid arguments are replaced and invalid methods are left out, so that rustc reports its own errors in the same
/// compile.
pub(crate) fn lower(
    arguments: &ExtensionArguments,
    item: &Item,
    diagnostics: &mut Diagnostics,
) -> Option<Model> {
    let item_name = match item {
        Item::Function(function) => function.signature.ident.unraw().to_string(),
        Item::Impl(block) => type_name(&block.self_type),
        Item::Other(_) => String::new(),
    };
    let arguments = extension_arguments::lower(arguments, &item_name, diagnostics);
    let (handlers, attributes, item) = match item {
        Item::Function(function) => (
            lower_function(function, diagnostics),
            &function.attributes,
            // The function must be async, even if its body does not await.
            quote!(#[allow(clippy::unused_async)] #function),
        ),
        Item::Impl(block) => (
            methods::lower(block, diagnostics),
            &block.attributes,
            block.to_token_stream(),
        ),
        Item::Other(_) => return None,
    };
    let handlers = handlers?;
    Some(Model {
        crate_path: arguments.crate_path?,
        name: arguments.name,
        port: match &handlers {
            Handlers::Function { .. } => arguments.port,
            Handlers::Impl(methods) => port::replace_self(arguments.port, &methods.self_type),
        },
        timeout: arguments.timeout,
        handlers,
        cfgs: cfgs(attributes),
        item,
    })
}

fn lower_function(function: &Function, diagnostics: &mut Diagnostics) -> Option<Handlers> {
    let name = &function.signature.ident;
    conflicts::report(&function.conflicts, "remove one of them", diagnostics);
    for attribute in &function.attributes {
        if let Some(role) = Role::of(attribute) {
            let role = role.name();
            diagnostics.error(
                attribute,
                with_help(
                    format!("`#[{role}]` cannot be used on a function"),
                    "use it on a method of an `impl` block that has `#[extension]`",
                ),
            );
        }
    }
    let path = name.to_token_stream();
    let invoke = signature::lower(function, path, Expected::FUNCTION, diagnostics)?;
    Some(Handlers::Function {
        name: name.clone(),
        invoke: Callee {
            // These `#[cfg]`s apply to the whole program.
            cfgs: Vec::new(),
            ..invoke
        },
    })
}

/// Returns the conditions of the `#[cfg]` attributes.
fn cfgs(attributes: &[Attribute]) -> Vec<TokenStream> {
    let condition = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => Some(list.tokens.clone()),
        _ => None,
    };
    attributes.iter().filter_map(condition).collect()
}

fn missing_argument(name: &str, example: &str) -> String {
    with_help(
        format!("missing argument `{name}`"),
        format!("add `{example}`"),
    )
}
