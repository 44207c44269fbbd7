use proc_macro2::TokenStream;
use syn::{Expr, Ident, LitStr};

/// A program that can be written: every rule of `lower` holds for it.
pub(crate) struct Model {
    pub(crate) name: LitStr,
    /// A literal in range, or an expression that the constant `Port::new` checks.
    pub(crate) port: Expr,
    /// The author's function.
    pub(crate) function: TokenStream,
    pub(crate) function_name: Ident,
    /// Of the function: where an error about the type belongs.
    pub(crate) parameter_type: TokenStream,
    pub(crate) return_type: TokenStream,
}
