//! Every rule about what an author may write.

mod arguments;
mod block;
mod signature;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Meta};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::item::{Function, Item};
use crate::model::{Form, Method, Model};
use signature::{Expected, Parameter};

pub(crate) fn lower(
    arguments: &Arguments,
    item: &Item,
    diagnostics: &mut Diagnostics,
) -> Option<Model> {
    let of_the_item = match item {
        Item::Function(function) => function.signature.ident.unraw().to_string(),
        Item::Block(block) => arguments::type_name(&block.self_type),
        Item::Other(_) => String::new(),
    };
    let arguments = arguments::lower(arguments, &of_the_item, diagnostics);
    let (form, attributes, item) = match item {
        Item::Function(function) => (
            lower_function(function, diagnostics),
            &function.attributes,
            // It must be async, whether it awaits or not.
            quote!(#[allow(clippy::unused_async)] #function),
        ),
        Item::Block(block) => (
            block::lower(block, diagnostics),
            &block.attributes,
            block.to_token_stream(),
        ),
        Item::Other(_) => return None,
    };
    let arguments = arguments?;
    Some(Model {
        krate: arguments.krate,
        name: arguments.name,
        port: arguments.port,
        timeout: arguments.timeout,
        form: form?,
        cfgs: cfgs(attributes),
        item,
    })
}

fn lower_function(function: &Function, diagnostics: &mut Diagnostics) -> Option<Form> {
    let name = &function.signature.ident;
    let invoke = signature::lower(
        function,
        name.to_token_stream(),
        Expected {
            receiver: false,
            parameter: Parameter::One("invocation: Invocation"),
        },
        diagnostics,
    )?;
    Some(Form::Function {
        name: name.clone(),
        invoke: Method {
            // They are those of the program.
            cfgs: Vec::new(),
            ..invoke
        },
    })
}

/// The conditions of the `#[cfg]`s.
fn cfgs(attributes: &[Attribute]) -> Vec<TokenStream> {
    let condition = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => Some(list.tokens.clone()),
        _ => None,
    };
    attributes.iter().filter_map(condition).collect()
}
