//! What `expand` generates a program from. Every rule of `lower` holds for it.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};

/// A program that can be generated.
pub(crate) struct Model {
    /// The path of the crate `fg_extension` in generated code.
    pub(crate) crate_path: TokenStream,
    pub(crate) name: TokenStream,
    /// A literal in range, or an expression that the constant `Port::new` checks.
    pub(crate) port: TokenStream,
    pub(crate) timeout: Option<Duration>,
    pub(crate) handlers: Handlers,
    /// The conditions of the `#[cfg]`s on the author's item: they hold for everything that is generated.
    pub(crate) cfgs: Vec<TokenStream>,
    /// The author's item, without role attributes.
    pub(crate) item: TokenStream,
}

/// The author's handlers: the function itself, or methods of an impl block.
pub(crate) enum Handlers {
    Function { name: Ident, invoke: Callee },
    Impl(Box<Methods>),
}

/// The methods of an impl block by role. A role has several methods only if all of them have `#[cfg]`s.
pub(crate) struct Methods {
    pub(crate) self_type: TokenStream,
    pub(crate) init: Vec<Callee>,
    pub(crate) invoke: Vec<Callee>,
    pub(crate) telemetry: Vec<TelemetryMethod>,
    pub(crate) shutdown: Vec<Callee>,
}

/// A method that has `#[telemetry(…)]`, and the arguments of that.
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

/// The author's function or method, which a method of a trait calls.
pub(crate) struct Callee {
    pub(crate) cfgs: Vec<TokenStream>,
    /// `hello`, or `Self::on_invoke`.
    pub(crate) path: TokenStream,
    /// The span of its name.
    pub(crate) span: Span,
    /// False only after an error.
    pub(crate) is_async: bool,
    /// The types of its parameters, without the receiver; traits check them. Those at the end may be left out.
    pub(crate) parameters: Vec<TokenStream>,
    /// The type that it returns, which a trait checks; `None` if none is written.
    pub(crate) output: Option<TokenStream>,
}
