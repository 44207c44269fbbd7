//! Parses `impl` blocks: the header and the methods are syntax trees, everything else stays tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Generics, Path, Signature, Token, Type, Visibility, token};

use super::conflict::Conflict;
use super::function::Function;
use super::role::{Role, RoleAttribute, without_role_attributes};

/// `impl Type { … }`
pub(crate) struct ImplBlock {
    /// The tokens before the braces.
    header: TokenStream,
    pub(crate) attributes: Vec<Attribute>,
    /// The attributes that conflict with `#[extension]`, which are reported and not emitted.
    pub(crate) conflicts: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// `None` for an inherent impl.
    pub(crate) trait_path: Option<Path>,
    pub(crate) self_type: Type,
    braces: Group,
    inner_attributes: Vec<Attribute>,
    pub(crate) items: Vec<ImplItem>,
}

/// An item of the block, with its role attributes separated from the others.
pub(crate) struct ImplItem {
    pub(crate) role_attributes: Vec<RoleAttribute>,
    pub(crate) kind: ImplItemKind,
}

pub(crate) enum ImplItemKind {
    Method(Box<Function>),
    /// A constant, a type, a macro call, or a method that cannot be parsed, with the syntax error.
    Other(TokenStream, Option<syn::Error>),
}

impl ImplBlock {
    /// Returns whether the input starts with an `impl` block.
    pub(crate) fn is_next(input: ParseStream<'_>) -> bool {
        input.peek(Token![impl]) || (input.peek(Token![unsafe]) && input.peek2(Token![impl]))
    }

    pub(crate) fn parse(
        attributes: Vec<Attribute>,
        conflicts: Vec<Attribute>,
        input: ParseStream<'_>,
    ) -> syn::Result<Self> {
        let start = input.fork();
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        let mut generics: Generics = input.parse()?;
        let trait_path = parse_trait(input)?;
        let self_type = input.parse()?;
        generics.where_clause = input.parse()?;
        let braces: Group = input.parse()?;
        // The header may contain braces too, as in `impl Cache<{ 1024 }>`, so the body is the last group.
        let mut header: Vec<TokenTree> = start.parse::<TokenStream>()?.into_iter().collect();
        header.pop();
        let (inner_attributes, items) = parse_items.parse2(braces.stream())?;
        Ok(Self {
            header: header.into_iter().collect(),
            attributes,
            conflicts,
            generics,
            trait_path,
            self_type,
            braces,
            inner_attributes,
            items,
        })
    }
    /// Returns `A` if the type is `&A`, and `None` if it is not a reference.
    pub(crate) fn referent(&self) -> Option<&Type> {
        let (mut referent, mut is_reference) = (&self.self_type, false);
        loop {
            referent = match referent {
                Type::Reference(reference) => {
                    is_reference = true;
                    &reference.elem
                }
                Type::Paren(paren) if is_reference => &paren.elem,
                Type::Group(group) => &group.elem,
                _ => return is_reference.then_some(referent),
            };
        }
    }
}

/// Parses `Trait for`, or nothing.
fn parse_trait(input: ParseStream<'_>) -> syn::Result<Option<Path>> {
    let fork = input.fork();
    fork.parse::<Option<Token![!]>>()?;
    if fork.parse::<Path>().is_err() || !fork.peek(Token![for]) {
        return Ok(None);
    }
    input.parse::<Option<Token![!]>>()?;
    let path = input.parse()?;
    input.parse::<Token![for]>()?;
    Ok(Some(path))
}

fn parse_items(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<ImplItem>)> {
    let inner_attributes = input.call(Attribute::parse_inner)?;
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push(parse_impl_item(input)?);
    }
    Ok((inner_attributes, items))
}

fn parse_impl_item(input: ParseStream<'_>) -> syn::Result<ImplItem> {
    let mut role_attributes = Vec::new();
    let mut attributes = Vec::new();
    for attribute in input.call(Attribute::parse_outer)? {
        match Role::guess(&attribute) {
            Some(role) => role_attributes.push(RoleAttribute { role, attribute }),
            None => attributes.push(attribute),
        }
    }
    let fork = input.fork();
    let signature = fork
        .parse::<Visibility>()
        .and_then(|_| fork.parse::<Signature>());
    if signature.is_ok() && (fork.peek(token::Brace) || fork.peek(Token![;])) {
        let visibility = input.parse()?;
        let is_handler = !role_attributes.is_empty();
        let (conflicts, attributes) = attributes.into_iter().partition(|attribute| {
            // The runtime does not call other methods, so they may have any attribute but this one.
            Conflict::of(attribute).is_some_and(|it| is_handler || it == Conflict::Extension)
        });
        let method = Function::parse(attributes, conflicts, visibility, input)?;
        return Ok(ImplItem {
            role_attributes,
            kind: ImplItemKind::Method(Box::new(method)),
        });
    }
    // A constant, a type or a macro call ends with a semicolon, or with braces that are not part of a value.
    let mut tokens = quote!(#(#attributes)*);
    let (mut is_value, mut is_function) = (false, false);
    while !input.is_empty() {
        let token = input.parse::<TokenTree>()?;
        let ends = match &token {
            TokenTree::Punct(punct) => {
                is_value |= punct.as_char() == '=';
                punct.as_char() == ';'
            }
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_value,
            TokenTree::Ident(ident) => {
                is_function |= ident == "fn";
                false
            }
            TokenTree::Literal(_) => false,
        };
        tokens.extend([token]);
        if ends {
            break;
        }
    }
    Ok(ImplItem {
        role_attributes,
        kind: ImplItemKind::Other(tokens, signature.err().filter(|_| is_function)),
    })
}

/// Emits the block without role attributes.
impl ToTokens for ImplBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        without_role_attributes(&self.attributes).for_each(|attribute| attribute.to_tokens(tokens));
        self.header.to_tokens(tokens);
        let (inner_attributes, items) = (&self.inner_attributes, &self.items);
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#items)*));
        braces.set_span(self.braces.span());
        braces.to_tokens(tokens);
    }
}

impl ToTokens for ImplItem {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if !self.role_attributes.is_empty() {
            // The method must be async and take `self`, even if its body needs neither.
            tokens.extend(quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
        }
        match &self.kind {
            ImplItemKind::Method(method) => method.to_tokens(tokens),
            ImplItemKind::Other(other, _) => other.to_tokens(tokens),
        }
    }
}
