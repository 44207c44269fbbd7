use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature, Visibility};

use crate::block::{Block, Role, without_roles};
use crate::diag::Diagnostics;

/// What the attribute is on. Bodies stay tokens: rustc reports what is wrong in there, once and better.
pub(crate) enum Item {
    Function(Function),
    Block(Block),
    /// The attribute does not belong there, and that is told.
    Other(TokenStream),
}

/// A function or a method. Without a body it has a semicolon: rustc says what is wrong with that.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenTree,
}

pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Item {
    let is_function = |token: TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
    match diagnostics.check(parse_item.parse2(tokens.clone())) {
        Some(item) => item,
        // rustc has read it too, and told what is wrong with it.
        None if tokens.clone().into_iter().any(is_function) => Item::Other(TokenStream::new()),
        None => Item::Other(without_helpers(tokens)),
    }
}

/// Without the attributes that are ours: rustc would only add that it does not find them.
fn without_helpers(tokens: TokenStream) -> TokenStream {
    let mut kept = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let token = match token {
            TokenTree::Punct(pound) if pound.as_char() == '#' => {
                if tokens.next_if(is_helper).is_some() {
                    continue;
                }
                TokenTree::Punct(pound)
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_helpers(group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other,
        };
        kept.extend([token]);
    }
    kept
}

/// `[invoke]`, and the others.
fn is_helper(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let word = group
        .stream()
        .into_iter()
        .next()
        .map(|word| word.to_string());
    group.delimiter() == Delimiter::Bracket
        && Role::ALL
            .iter()
            .any(|role| word.as_deref() == Some(role.name()))
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
fn something_else(input: ParseStream<'_>) -> Option<String> {
    if input.fork().parse::<Signature>().is_ok() {
        return None;
    }
    let tokens: TokenStream = input.fork().parse().ok()?;
    let mut words = tokens.into_iter().map(|token| token.to_string());
    let word = words.find(|word| !matches!(word.as_str(), "unsafe" | "auto" | "default"))?;
    let mut words = words.filter(|word| word != "mut");
    let kind = match word.as_str() {
        "struct" => "struct",
        "enum" => "enum",
        "union" => "union",
        "mod" => "module",
        "trait" => "trait",
        "const" => "constant",
        "static" => "static",
        "type" => "type alias",
        "use" => return Some("an import".to_owned()),
        "extern" => return Some("an `extern` item".to_owned()),
        "fn" | "async" => return None,
        _ => return Some("a macro".to_owned()),
    };
    let name = words.next()?;
    let hint = match kind {
        "struct" | "enum" | "union" => format!(": put it on `impl {name}`"),
        _ => String::new(),
    };
    Some(format!("the {kind} `{name}`{hint}"))
}

impl Function {
    /// The rest of a function.
    pub(crate) fn parse(
        attributes: Vec<Attribute>,
        visibility: Visibility,
        input: ParseStream<'_>,
    ) -> syn::Result<Self> {
        Ok(Self {
            attributes,
            visibility,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        without_roles(&self.attributes).for_each(|attribute| attribute.to_tokens(tokens));
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
