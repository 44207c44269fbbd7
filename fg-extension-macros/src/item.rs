use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility};

use crate::diag::Diagnostics;

/// The annotated function. Its body stays tokens: rustc reports what is wrong in there, once and better.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// The function, unless it is something else.
pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Option<Function> {
    diagnostics.check(syn::parse2(tokens))
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let start = input.span();
        let not_a_function = |_| syn::Error::new(start, "`#[extension]` goes on an `async fn`");
        let visibility = input.parse().map_err(not_a_function)?;
        let signature = input.parse().map_err(not_a_function)?;
        match input.parse()? {
            TokenTree::Group(body) if input.is_empty() => Ok(Self {
                attributes,
                visibility,
                signature,
                body,
            }),
            other => Err(syn::Error::new(
                other.span(),
                "`#[extension]` goes on an `async fn` with a body",
            )),
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
