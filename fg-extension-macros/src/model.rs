use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};

/// A program that can be written: every rule of `lower` holds for it.
pub(crate) struct Model {
    /// The crate `fg_extension`, as generated code names it.
    pub(crate) krate: TokenStream,
    pub(crate) name: TokenStream,
    /// A literal in range, or an expression that the constant `Port::new` checks.
    pub(crate) port: TokenStream,
    pub(crate) timeout: Option<Duration>,
    pub(crate) form: Form,
    /// The conditions of the `#[cfg]`s on the author's item: they hold for all that is generated.
    pub(crate) cfgs: Vec<TokenStream>,
    /// The author's item, without what is ours.
    pub(crate) item: TokenStream,
}

pub(crate) enum Form {
    Function { name: Ident, invoke: Method },
    Block(Box<Methods>),
}

/// Of each role there are several methods only if all of them have `#[cfg]`s.
pub(crate) struct Methods {
    pub(crate) self_type: TokenStream,
    pub(crate) init: Vec<Method>,
    pub(crate) invoke: Vec<Method>,
    pub(crate) telemetry: Vec<Telemetry>,
    pub(crate) shutdown: Vec<Method>,
}

/// What the author wrote to be called by a method of the trait.
pub(crate) struct Method {
    pub(crate) cfgs: Vec<TokenStream>,
    /// `hello`, or `Self::on_invoke`.
    pub(crate) path: TokenStream,
    /// Of its name.
    pub(crate) span: Span,
    /// If it is not, that is told.
    pub(crate) is_async: bool,
    /// That it is the right one, and what may be returned, is for traits to say.
    pub(crate) parameter: Option<TokenStream>,
    /// Nothing if it is `()`.
    pub(crate) output: Option<TokenStream>,
}

pub(crate) struct Telemetry {
    pub(crate) port: TokenStream,
    /// Variants of `TelemetryType`.
    pub(crate) types: Vec<Ident>,
    pub(crate) method: Method,
}
