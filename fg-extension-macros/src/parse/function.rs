//! Parses functions and methods.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::{Attribute, Signature, Visibility};

use super::role::without_role_attributes;

/// A function or a method.
///
/// If the body is missing, `body` is the semicolon, and rustc reports the mistake.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    /// The attributes that conflict with `#[extension]`, which are reported and not emitted.
    pub(crate) conflicts: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenTree,
}

impl Function {
    /// Parses the signature and the body, which follow the attributes and the visibility.
    pub(crate) fn parse(
        attributes: Vec<Attribute>,
        conflicts: Vec<Attribute>,
        visibility: Visibility,
        input: ParseStream<'_>,
    ) -> syn::Result<Self> {
        Ok(Self {
            attributes,
            conflicts,
            visibility,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

/// Emits the function without role attributes.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        without_role_attributes(&self.attributes).for_each(|attribute| attribute.to_tokens(tokens));
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
