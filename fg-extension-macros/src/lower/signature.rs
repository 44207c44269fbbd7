//! What holds for the function, and for every method that has a role.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{FnArg, Lifetime, Receiver, ReceiverKind, ReturnType, Safety, Signature, Token, Type};

use crate::diag::Diagnostics;
use crate::item::Function;
use crate::model::Method;

/// What the author's function is called with.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// `&self`
    pub(super) receiver: bool,
    pub(super) parameter: Parameter,
}

/// The one parameter after the receiver, as in `invocation: Invocation`.
#[derive(Clone, Copy)]
pub(super) enum Parameter {
    None,
    Optional(&'static str),
    One(&'static str),
}

/// The function, if it can be called: it may have mistakes nevertheless.
///
/// `path` is how generated code calls it.
pub(super) fn lower(
    function: &Function,
    path: TokenStream,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> Option<Method> {
    let signature = &function.signature;
    let can_be_called = lower_qualifiers(signature, diagnostics);
    let parameter = lower_inputs(signature, expected, diagnostics)?;
    can_be_called.then(|| Method {
        cfgs: super::cfgs(&function.attributes),
        path,
        span: signature.ident.span(),
        is_async: signature.asyncness.is_some(),
        parameter: parameter.map(ToTokens::to_token_stream),
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(output.to_token_stream()),
        },
    })
}

/// All that stands around the parameters; whether a call will do all the same.
fn lower_qualifiers(signature: &Signature, diagnostics: &mut Diagnostics) -> bool {
    let name = &signature.ident;
    let mut can_be_called = true;
    if signature.asyncness.is_none() {
        diagnostics.push(syn::Error::new(
            signature.fn_token.span,
            format!("`{name}` must be async, write `async fn {name}`"),
        ));
        // Who returns a future has forgotten nothing else.
        let output = signature.output.to_token_stream().to_string();
        can_be_called &= !output.contains("Future");
    }
    // With `async` rustc says that it cannot be both.
    if let (Some(constness), None) = (&signature.constness, &signature.asyncness) {
        diagnostics.error(
            constness,
            format!("`{name}` cannot be const, remove `const`"),
        );
    }
    if !matches!(signature.safety, Safety::Default) {
        diagnostics.error(
            &signature.safety,
            format!("`{name}` cannot be unsafe, remove `unsafe`"),
        );
        can_be_called = false;
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(abi, format!("`{name}` cannot have an ABI, remove `extern`"));
    }
    let generics = &signature.generics;
    if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        diagnostics.error(
            generics,
            format!("`{name}` cannot be generic, remove the parameters"),
        );
        can_be_called = false;
    } else if let Some(clause) = &generics.where_clause
        && !clause.predicates.is_empty()
    {
        diagnostics.error(
            clause,
            format!("`{name}` cannot have a where clause, remove it"),
        );
        can_be_called = false;
    }
    if let Some(variadic) = &signature.variadic {
        diagnostics.error(
            variadic,
            format!("`{name}` cannot be variadic, remove `...`"),
        );
        can_be_called = false;
    }
    can_be_called
}

/// The type of the parameter, if there is one.
fn lower_inputs<'a>(
    signature: &'a Signature,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> Option<Option<&'a Type>> {
    let name = &signature.ident;
    let mut inputs = signature.inputs.iter().peekable();
    let receiver = match inputs.next_if(|input| matches!(input, FnArg::Receiver(_))) {
        Some(FnArg::Receiver(receiver)) => Some(receiver),
        _ => None,
    };
    let receiver_is_right = lower_receiver(signature, receiver, expected, diagnostics);
    let parameters: Vec<_> = inputs.collect();
    let parameter = match (expected.parameter, &parameters[..]) {
        (Parameter::None | Parameter::Optional(_), []) => None,
        (Parameter::One(parameter), []) => {
            // What should be written is told with the receiver then.
            if receiver_is_right {
                let receiver = if expected.receiver { "&self, " } else { "" };
                diagnostics.push(syn::Error::new(
                    signature.paren_token.span.join(),
                    format!("`{name}` takes one parameter, write `{name}({receiver}{parameter})`"),
                ));
            }
            return None;
        }
        (Parameter::None, more) => {
            let more: Punctuated<_, Token![,]> = more.iter().collect();
            diagnostics.error(more, format!("`{name}` takes `&self` only, remove this"));
            return None;
        }
        (Parameter::One(parameter) | Parameter::Optional(parameter), more @ [_, _, ..]) => {
            // The one that is right stays: the first, or, as its type says, another.
            let right = more
                .iter()
                .position(|more| is_meant(more, parameter))
                .unwrap_or(0);
            let more = more.iter().enumerate().filter(|(i, _)| *i != right);
            let more: Punctuated<_, Token![,]> = more.map(|(_, more)| more).collect();
            diagnostics.error(
                more,
                format!("`{name}` takes one parameter, `{parameter}`: remove this"),
            );
            return None;
        }
        (Parameter::One(parameter) | Parameter::Optional(parameter), [FnArg::Typed(typed)]) => {
            if let Type::ImplTrait(anything) = &*typed.ty {
                diagnostics.error(
                    anything,
                    format!("`{name}` cannot be generic, write `{parameter}`"),
                );
                return None;
            }
            Some(&*typed.ty)
        }
        // A second `self`, which rustc does not parse.
        (Parameter::One(_) | Parameter::Optional(_), [FnArg::Receiver(_)]) => return None,
    };
    receiver_is_right.then_some(parameter)
}

/// Whether it is `&self` where it should be, and nothing elsewhere.
fn lower_receiver(
    signature: &Signature,
    receiver: Option<&Receiver>,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> bool {
    let name = &signature.ident;
    match receiver {
        None if !expected.receiver => return true,
        Some(receiver)
            if expected.receiver
                && matches!(&receiver.kind, ReceiverKind::Reference(_, lifetime, None) if !is_static(lifetime)) =>
        {
            return true;
        }
        Some(receiver) if expected.receiver => diagnostics.error(
            receiver,
            format!("`{name}` must take `&self`, since it is shared: write `&self`"),
        ),
        Some(receiver) => {
            let instead = match expected.parameter {
                Parameter::None => "remove it".to_owned(),
                Parameter::Optional(parameter) => format!("write `{name}({parameter})`"),
                // Perhaps it is a method, and the attribute is in the block instead of on it.
                Parameter::One(parameter) => format!(
                    "write `{name}({parameter})`, or put `#[extension]` on the `impl` block and `#[invoke]` on `{name}`"
                ),
            };
            diagnostics.error(receiver, format!("`{name}` cannot take `self`: {instead}"));
        }
        None => {
            let parameters = match expected.parameter {
                Parameter::None => String::new(),
                Parameter::Optional(parameter) | Parameter::One(parameter) => {
                    format!(", {parameter}")
                }
            };
            diagnostics.push(syn::Error::new(
                signature.paren_token.span.join(),
                format!("`{name}` must take `&self`, write `{name}(&self{parameters})`"),
            ));
        }
    }
    false
}

/// Whether the type is, by its name, that of `parameter: Type`.
fn is_meant(input: &FnArg, parameter: &str) -> bool {
    let FnArg::Typed(typed) = input else {
        return false;
    };
    let written = typed.ty.to_token_stream().to_string().replace(' ', "");
    let (_, meant) = parameter.split_once(": ").unwrap_or_default();
    written == meant || written.ends_with(&format!("::{meant}"))
}

fn is_static(lifetime: &Option<Lifetime>) -> bool {
    lifetime
        .as_ref()
        .is_some_and(|lifetime| lifetime.ident == "static")
}
