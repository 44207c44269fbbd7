use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature, Visibility};

use crate::block::Block;
use crate::diag::Diagnostics;

/// What the attribute is on. Bodies stay tokens: rustc reports what is wrong in there, once and better.
pub(crate) enum Item {
    Function(Function),
    Block(Block),
    /// The attribute does not belong there, and that is told.
    Other(TokenStream),
}

/// A function or a method.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Item {
    match diagnostics.check(parse_item.parse2(tokens.clone())) {
        Some(item) => item,
        None => Item::Other(tokens),
    }
}

fn parse_item(input: ParseStream<'_>) -> syn::Result<Item> {
    let attributes = input.call(Attribute::parse_outer)?;
    if Block::is_next(input) {
        return Block::parse(attributes, input).map(Item::Block);
    }
    let start = input.span();
    let visibility = input.parse()?;
    if let Some(other) = something_else(input) {
        let message = format!(
            "`#[extension]` goes on an `async fn` or an inherent `impl` block, not on {other}"
        );
        return Err(syn::Error::new(start, message));
    }
    Function::parse(attributes, visibility, input).map(Item::Function)
}

/// What stands here, if it is a known thing that is not a function.
fn something_else(input: ParseStream<'_>) -> Option<&'static str> {
    if input.fork().parse::<Signature>().is_ok() {
        return None;
    }
    let tokens: TokenStream = input.fork().parse().ok()?;
    let mut words = tokens.into_iter().map(|token| token.to_string());
    let word = words.find(|word| !matches!(word.as_str(), "unsafe" | "auto" | "default"))?;
    Some(match word.as_str() {
        "struct" => "a struct",
        "enum" => "an enum",
        "union" => "a union",
        "mod" => "a module",
        "trait" => "a trait",
        "const" => "a constant",
        "static" => "a static",
        "type" => "a type alias",
        "use" => "an import",
        "macro_rules" => "a macro",
        "fn" | "async" => return None,
        _ => "this",
    })
}

impl Function {
    /// The rest of a function.
    pub(crate) fn parse(
        attributes: Vec<Attribute>,
        visibility: Visibility,
        input: ParseStream<'_>,
    ) -> syn::Result<Self> {
        let signature: Signature = input.parse()?;
        match input.parse()? {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => Ok(Self {
                attributes,
                visibility,
                signature,
                body,
            }),
            other => Err(syn::Error::new(
                other.span(),
                format!("`{}` has no body", signature.ident),
            )),
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.attributes.iter().map(ToTokens::to_token_stream));
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
