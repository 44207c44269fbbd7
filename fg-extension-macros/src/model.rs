//! The validated input from which `expand` generates a program.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};

/// A program that is ready to be generated.
pub(crate) struct Model {
    /// The path by which generated code refers to the crate `fg_extension`.
    pub(crate) crate_path: TokenStream,
    pub(crate) name: TokenStream,
    /// A literal in range, or a constant expression that `Port::new` checks at compile time.
    pub(crate) port: TokenStream,
    pub(crate) timeout: Option<Duration>,
    pub(crate) handlers: Handlers,
    /// The conditions of the `#[cfg]` attributes on the author's item, which apply to everything that is generated.
    pub(crate) cfgs: Vec<TokenStream>,
    /// The author's item, without role attributes.
    pub(crate) item: TokenStream,
}

/// The author's handlers: a single function, or the methods of an `impl` block.
pub(crate) enum Handlers {
    Function { name: Ident, invoke: Callee },
    Impl(Box<Methods>),
}

/// The methods of an `impl` block by role. A role has several methods only if all of them have `#[cfg]`.
pub(crate) struct Methods {
    pub(crate) self_type: TokenStream,
    pub(crate) init: Vec<Callee>,
    pub(crate) invoke: Vec<Callee>,
    pub(crate) telemetry: Vec<TelemetryMethod>,
    pub(crate) shutdown: Vec<Callee>,
}

/// A method with `#[telemetry(…)]`, and the arguments of the attribute.
pub(crate) struct TelemetryMethod {
    pub(crate) subscription: Subscription,
    pub(crate) method: Callee,
}

/// The arguments of `fg_extension::Subscription::new`.
pub(crate) struct Subscription {
    pub(crate) port: TokenStream,
    /// Variants of `TelemetryType`.
    pub(crate) types: Vec<Ident>,
}

/// The author's function or method, which a generated trait method calls.
pub(crate) struct Callee {
    pub(crate) cfgs: Vec<TokenStream>,
    /// The path of the function, such as `hello` or `Self::on_invoke`.
    pub(crate) path: TokenStream,
    /// The span of the function's name.
    pub(crate) span: Span,
    /// False only if the missing `async` is already reported.
    pub(crate) is_async: bool,
    /// The types of the parameters after the receiver, which traits check. Parameters at the end may be omitted.
    pub(crate) parameters: Vec<TokenStream>,
    /// The return type, which a trait checks; `None` if the function does not declare one.
    pub(crate) output: Option<TokenStream>,
}
