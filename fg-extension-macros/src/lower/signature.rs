//! Checks the signature of the function, or of a method that has a role.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, FnArg, Lifetime, Receiver, ReceiverKind, ReturnType, Safety, Signature, Token, Type,
};

use crate::diagnostics::{Diagnostics, list, with_help};
use crate::model::Callee;
use crate::parse::conflict::Conflict;
use crate::parse::function::Function;
use crate::parse::role::Role;

/// The signature that a role requires. Parameters have the form `invocation: Invocation`.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// Whether `&self` is the first parameter.
    takes_self: bool,
    required: Option<&'static str>,
    /// The last parameter, which may be omitted.
    optional: Option<&'static str>,
}

impl Expected {
    /// The signature of a function with `#[extension]`.
    pub(super) const FUNCTION: Self = Self {
        takes_self: false,
        required: Some("invocation: Invocation"),
        optional: None,
    };

    /// Returns the signature of a method with this role.
    pub(super) fn of(role: Role) -> Self {
        let (required, optional) = match role {
            Role::Init => (None, Some("registration: &Registration")),
            Role::Invoke => (Some("invocation: Invocation"), None),
            Role::Telemetry => (
                Some("events: Vec<TelemetryEvent>"),
                Some("counters: &TelemetryCounters"),
            ),
            Role::Shutdown => (None, None),
        };
        Self {
            takes_self: role != Role::Init,
            required,
            optional,
        }
    }

    /// Returns the parameters after the receiver.
    fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.required.into_iter().chain(self.optional)
    }
}

/// Returns the function as generated code calls it by `path`, or `None` if it cannot be called.
///
/// A function with mistakes may still be callable.
pub(super) fn lower(
    function: &Function,
    path: TokenStream,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> Option<Callee> {
    let signature = &function.signature;
    let qualifiers = check_qualifiers(function, diagnostics);
    let parameters = lower_inputs(signature, expected, diagnostics)?;
    matches!(qualifiers, Qualifiers::Callable).then(|| Callee {
        cfgs: super::cfgs(&function.attributes),
        path,
        span: signature.ident.span(),
        is_async: signature.asyncness.is_some(),
        parameters: parameters.iter().map(ToTokens::to_token_stream).collect(),
        output: match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(output.to_token_stream()),
        },
    })
}

enum Qualifiers {
    /// Generated code can call the function, even if a qualifier is not allowed.
    Callable,
    NotCallable,
}

/// Checks everything in a signature except the parameters and the return type.
fn check_qualifiers(function: &Function, diagnostics: &mut Diagnostics) -> Qualifiers {
    let signature = &function.signature;
    let name = &signature.ident;
    let mut can_be_called = true;
    let is_async = signature.asyncness.is_some();
    if !is_async && calls_block_on(function.body.clone().into()) {
        // `#[tokio::main]` and `#[tokio::test]` above `#[extension]` are expanded first, and leave such a function. A test
        // is already reported.
        let is_test = |attribute: &Attribute| Conflict::of(attribute) == Some(Conflict::Test);
        if !function.conflicts.iter().any(is_test) {
            let fn_token = &signature.fn_token;
            diagnostics.error(
                quote!(#fn_token #name),
                with_help(
                    format!("`#[extension]` brings its own runtime and `main`, so `{name}` cannot start another runtime"),
                    "remove `#[tokio::main]`, or write `async fn` and `.await` instead of `block_on`",
                ),
            );
        }
    } else if !is_async {
        diagnostics.push(syn::Error::new(
            signature.fn_token.span,
            with_help(
                format!("`{name}` must be async"),
                format!("write `async fn {name}`"),
            ),
        ));
        // Do not call a function that returns a future: rustc would also report the type that it returns.
        let output = signature.output.to_token_stream().to_string();
        can_be_called &= !output.contains("Future");
    }
    // rustc itself reports `const async`.
    if let (Some(constness), None) = (&signature.constness, &signature.asyncness) {
        diagnostics.error(
            constness,
            with_help(format!("`{name}` cannot be const"), "remove `const`"),
        );
    }
    if !matches!(signature.safety, Safety::Default) {
        diagnostics.error(
            &signature.safety,
            with_help(format!("`{name}` cannot be unsafe"), "remove `unsafe`"),
        );
        can_be_called = false;
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(
            abi,
            with_help(format!("`{name}` cannot have an ABI"), "remove `extern`"),
        );
    }
    let generics = &signature.generics;
    if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        diagnostics.error(
            generics,
            with_help(
                format!("`{name}` cannot be generic"),
                "remove the generic parameters",
            ),
        );
        can_be_called = false;
    } else if let Some(clause) = &generics.where_clause
        && !clause.predicates.is_empty()
    {
        diagnostics.error(
            clause,
            with_help(format!("`{name}` cannot have a where clause"), "remove it"),
        );
        can_be_called = false;
    }
    if let Some(variadic) = &signature.variadic {
        diagnostics.error(
            variadic,
            with_help(format!("`{name}` cannot be variadic"), "remove `...`"),
        );
        can_be_called = false;
    }
    if can_be_called {
        Qualifiers::Callable
    } else {
        Qualifiers::NotCallable
    }
}

/// Returns whether a body runs a future to its end. The attributes of all runtimes generate such a body.
fn calls_block_on(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "block_on",
        TokenTree::Group(group) => calls_block_on(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Checks the parameters, and returns the types of those after the receiver.
fn lower_inputs<'a>(
    signature: &'a Signature,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<&'a Type>> {
    let name = &signature.ident;
    let mut inputs = signature.inputs.iter().peekable();
    let receiver = match inputs.next_if(|input| matches!(input, FnArg::Receiver(_))) {
        Some(FnArg::Receiver(receiver)) => Some(receiver),
        _ => None,
    };
    let receiver_is_valid = check_receiver(signature, receiver, expected, diagnostics);
    let inputs: Vec<_> = inputs.collect();
    if let (Some(required), []) = (expected.required, &inputs[..]) {
        // An error about the receiver already shows the whole parameter list.
        if receiver_is_valid {
            let receiver = if expected.takes_self { "&self, " } else { "" };
            diagnostics.push(syn::Error::new(
                signature.paren_token.span.join(),
                with_help(
                    format!("`{name}` must take the parameter `{required}`"),
                    format!("write `{name}({receiver}{required})`"),
                ),
            ));
        }
        return None;
    }
    let surplus = surplus_inputs(&inputs, expected);
    if !surplus.is_empty() {
        let parameters: Vec<_> = expected.parameters().collect();
        let parameters = match &parameters[..] {
            [] => "`&self`".to_owned(),
            parameters => list(parameters),
        };
        let state = if expected.takes_self {
            "for state, use fields of `self`"
        } else if expected.required.is_some() {
            "for state, use an `impl` block"
        } else {
            "for settings, use `fg_extension::setting`"
        };
        let message = with_help(
            format!("`{name}` has too many parameters"),
            format!("remove this, since it takes only {parameters}; {state}"),
        );
        diagnostics.error(surplus, message);
        return None;
    }
    let mut types = Vec::new();
    for (input, parameter) in inputs.iter().zip(expected.parameters()) {
        match input {
            FnArg::Typed(typed) => match &*typed.ty {
                Type::ImplTrait(impl_trait) => {
                    let message = with_help(
                        format!("`{name}` cannot be generic"),
                        format!("write `{parameter}`"),
                    );
                    diagnostics.error(impl_trait, message);
                }
                Type::Reference(reference)
                    if parameter.contains('&') && is_static(&reference.lifetime) =>
                {
                    let message = with_help(
                        format!("`{name}` cannot take a `&'static` reference"),
                        format!("write `{parameter}`"),
                    );
                    diagnostics.error(reference, message);
                }
                ty => types.push(ty),
            },
            // A second `self`, which rustc reports.
            FnArg::Receiver(_) => {}
        }
    }
    (receiver_is_valid && types.len() == inputs.len()).then_some(types)
}

/// Returns the inputs to remove if there are more than expected.
///
/// Keeps the inputs whose type is that of an expected parameter, wherever they are. If these are too few, also keeps the
/// first of the others.
fn surplus_inputs<'a>(
    inputs: &[&'a FnArg],
    expected: Expected,
) -> Punctuated<&'a FnArg, Token![,]> {
    let number = expected.parameters().count();
    if inputs.len() <= number {
        return Punctuated::new();
    }
    let position = |parameter| {
        let mut inputs = inputs.iter();
        inputs.position(|input| has_type_of(input, parameter))
    };
    let meant = expected.parameters().filter_map(position);
    let mut matched = Vec::new();
    for index in meant.chain(0..inputs.len()) {
        if matched.len() < number && !matched.contains(&index) {
            matched.push(index);
        }
    }
    let inputs = inputs.iter().copied().enumerate();
    inputs
        .filter(|(index, _)| !matched.contains(index))
        .map(|(_, input)| input)
        .collect()
}

/// Returns whether the receiver is as expected, which is `&self` or no receiver. Otherwise, reports it.
fn check_receiver(
    signature: &Signature,
    receiver: Option<&Receiver>,
    expected: Expected,
    diagnostics: &mut Diagnostics,
) -> bool {
    let name = &signature.ident;
    match receiver {
        None if !expected.takes_self => return true,
        Some(receiver) if expected.takes_self => {
            let help = match SelfKind::of(receiver) {
                SelfKind::Shared => return true,
                SelfKind::Exclusive => {
                    "handlers share the extension, so keep state that changes in a `Mutex` or an atomic"
                }
                SelfKind::Other => {
                    "handlers borrow the extension, so keep what outlives a call in a field of type `Arc`"
                }
            };
            diagnostics.error(
                receiver,
                with_help(format!("`{name}` must take `&self`"), help),
            );
        }
        Some(receiver) => {
            let help = match (expected.required, expected.optional) {
                // It may be a method whose `impl` block should have the attribute.
                (Some(required), _) => format!(
                    "write `{name}({required})`, or put `#[extension]` on the `impl` block and `#[invoke]` on `{name}`"
                ),
                (None, Some(optional)) => format!("write `{name}({optional})`"),
                (None, None) => "remove `self`".to_owned(),
            };
            diagnostics.error(
                receiver,
                with_help(format!("`{name}` cannot take `self`"), help),
            );
        }
        None => {
            let written = signature.inputs.len();
            let required = expected.required.iter().count();
            let parameters: String = expected
                .parameters()
                .take(written.max(required))
                .map(|parameter| format!(", {parameter}"))
                .collect();
            diagnostics.push(syn::Error::new(
                signature.paren_token.span.join(),
                with_help(
                    format!("`{name}` must take `&self`"),
                    format!("write `{name}(&self{parameters})`"),
                ),
            ));
        }
    }
    false
}

/// How a method takes `self`.
enum SelfKind {
    /// `&self`, or `self: &Self`.
    Shared,
    /// `&mut self`, or by value.
    Exclusive,
    /// `&'static self`, or a smart pointer.
    Other,
}

impl SelfKind {
    fn of(receiver: &Receiver) -> Self {
        // rustc reports a path that is not that of the type.
        let is_plain = |ty: &Type| matches!(ty, Type::Path(path) if path.path.segments.iter().all(|it| it.arguments.is_none()));
        let (lifetime, mutability) = match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, mutability) => (lifetime, mutability),
            ReceiverKind::Typed(_, ty) => match &**ty {
                Type::Reference(reference) if is_plain(&reference.elem) => {
                    (&reference.lifetime, &reference.mutability)
                }
                ty if is_plain(ty) => return Self::Exclusive,
                _ => return Self::Other,
            },
            _ => return Self::Exclusive,
        };
        match mutability {
            Some(_) => Self::Exclusive,
            None if is_static(lifetime) => Self::Other,
            None => Self::Shared,
        }
    }
}

/// Returns whether the input has the type of `parameter`. Compares the names of the types, and ignores `&` and the path.
fn has_type_of(input: &FnArg, parameter: &str) -> bool {
    let FnArg::Typed(typed) = input else {
        return false;
    };
    let written = typed.ty.to_token_stream().to_string().replace(' ', "");
    let written = written.trim_start_matches('&');
    let (_, expected) = parameter.split_once(": ").unwrap_or_default();
    let expected = expected.trim_start_matches('&');
    written == expected || written.ends_with(&format!("::{expected}"))
}

fn is_static(lifetime: &Option<Lifetime>) -> bool {
    lifetime
        .as_ref()
        .is_some_and(|lifetime| lifetime.ident == "static")
}
