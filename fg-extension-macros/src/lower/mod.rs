//! Every rule about what an author may write.

mod arguments;
mod block;
mod signature;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Meta};

use crate::attr::Arguments;
use crate::block::Role;
use crate::diag::Diagnostics;
use crate::item::{Function, Item};
use crate::model::{Form, Method, Model};
use signature::{Expected, Parameter};

/// A program, if one can be written. Arguments with a mistake are replaced, methods with one left out: what else is
/// wrong, and is for rustc to say, is then said in the same compile.
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
    let form = form?;
    Some(Model {
        krate: arguments.krate?,
        name: arguments.name,
        port: match &form {
            Form::Function { .. } => arguments.port,
            Form::Block(block) => name_self(arguments.port, &block.self_type),
        },
        timeout: arguments.timeout,
        form,
        cfgs: cfgs(attributes),
        item,
    })
}

fn lower_function(function: &Function, diagnostics: &mut Diagnostics) -> Option<Form> {
    let name = &function.signature.ident;
    for attribute in &function.attributes {
        if let Some(role) = Role::exactly(attribute) {
            let role = role.name();
            diagnostics.error(
                attribute,
                format!(
                    "`#[{role}]` goes on a method of an `impl` block that has `#[extension]`, remove it here"
                ),
            );
        }
    }
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

/// `port = Self::PORT`: what is generated of it stands outside of any impl.
fn name_self(expression: TokenStream, self_type: &TokenStream) -> TokenStream {
    let name = |token| match token {
        TokenTree::Ident(word) if word == "Self" => quote_spanned!(word.span()=> <#self_type>),
        TokenTree::Group(group) => {
            let mut named = Group::new(group.delimiter(), name_self(group.stream(), self_type));
            named.set_span(group.span());
            TokenTree::Group(named).into()
        }
        other => TokenStream::from(other),
    };
    expression.into_iter().flat_map(name).collect()
}

/// The conditions of the `#[cfg]`s.
fn cfgs(attributes: &[Attribute]) -> Vec<TokenStream> {
    let condition = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => Some(list.tokens.clone()),
        _ => None,
    };
    attributes.iter().filter_map(condition).collect()
}
