use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Generics, Meta, Path, Signature, Token, Type, Visibility, token};

use crate::diag::did_you_mean;
use crate::item::Function;

/// `impl Type { … }`
pub(crate) struct Block {
    /// All that is before the braces.
    head: TokenStream,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// An inherent impl has none.
    pub(crate) of_trait: Option<Path>,
    pub(crate) self_type: Type,
    braces: Group,
    inner_attributes: Vec<Attribute>,
    pub(crate) members: Vec<Member>,
}

/// A method, or something else in the block, with the attributes that are ours apart.
pub(crate) struct Member {
    pub(crate) helpers: Vec<Helper>,
    pub(crate) item: MemberItem,
}

pub(crate) enum MemberItem {
    Method(Box<Function>),
    /// If it is a method, with what is wrong with it.
    Other(TokenStream, Option<syn::Error>),
}

/// An attribute that gives a method its role, or was meant to.
pub(crate) struct Helper {
    pub(crate) role: Role,
    pub(crate) attribute: Attribute,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Init,
    Invoke,
    Telemetry,
    Shutdown,
}

impl Block {
    /// Whether an impl stands here.
    pub(crate) fn is_next(input: ParseStream<'_>) -> bool {
        input.peek(Token![impl]) || (input.peek(Token![unsafe]) && input.peek2(Token![impl]))
    }

    pub(crate) fn parse(attributes: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let whole = input.fork();
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        let mut generics: Generics = input.parse()?;
        let of_trait = parse_trait(input)?;
        let self_type = input.parse()?;
        generics.where_clause = input.parse()?;
        let braces: Group = input.parse()?;
        // Its own tokens: what stands before the braces may have braces too, as in `impl Cache<{ 1024 }>`.
        let mut head: Vec<TokenTree> = whole.parse::<TokenStream>()?.into_iter().collect();
        head.pop();
        let (inner_attributes, members) = parse_members.parse2(braces.stream())?;
        Ok(Self {
            head: head.into_iter().collect(),
            attributes,
            generics,
            of_trait,
            self_type,
            braces,
            inner_attributes,
            members,
        })
    }
}

/// `Trait for`
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

fn parse_members(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Member>)> {
    let inner_attributes = input.call(Attribute::parse_inner)?;
    let mut members = Vec::new();
    while !input.is_empty() {
        members.push(parse_member(input)?);
    }
    Ok((inner_attributes, members))
}

fn parse_member(input: ParseStream<'_>) -> syn::Result<Member> {
    let mut helpers = Vec::new();
    let mut attributes = Vec::new();
    for attribute in input.call(Attribute::parse_outer)? {
        match Role::meant(&attribute) {
            Some(role) => helpers.push(Helper { role, attribute }),
            None => attributes.push(attribute),
        }
    }
    let fork = input.fork();
    let signature = fork
        .parse::<Visibility>()
        .and_then(|_| fork.parse::<Signature>());
    if signature.is_ok() && (fork.peek(token::Brace) || fork.peek(Token![;])) {
        let visibility = input.parse()?;
        let item = MemberItem::Method(Box::new(Function::parse(attributes, visibility, input)?));
        return Ok(Member { helpers, item });
    }
    // A constant, a type or a macro: up to its semicolon, or its braces if those are not a value.
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
            TokenTree::Ident(word) => {
                is_function |= word == "fn";
                false
            }
            TokenTree::Literal(_) => false,
        };
        tokens.extend([token]);
        if ends {
            break;
        }
    }
    let item = MemberItem::Other(tokens, signature.err().filter(|_| is_function));
    Ok(Member { helpers, item })
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Init, Self::Invoke, Self::Telemetry, Self::Shutdown];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
            Self::Telemetry => "telemetry",
            Self::Shutdown => "shutdown",
        }
    }

    /// The role that an attribute gives.
    pub(crate) fn exactly(attribute: &Attribute) -> Option<Self> {
        let word = attribute.path().get_ident()?;
        Self::ALL.into_iter().find(|role| word == role.name())
    }

    /// The role that an attribute gives, or was meant to give, as `#[invok]` or `#[fg_extension::invoke]`.
    fn meant(attribute: &Attribute) -> Option<Self> {
        let path = attribute.path();
        let word = match path.get_ident() {
            Some(word) if word == "cfg_attr" => {
                let Meta::List(list) = &attribute.meta else {
                    return None;
                };
                let is_in_there = |role: &Self| {
                    let mut words = list.tokens.clone().into_iter();
                    words.any(|word| word.to_string() == role.name())
                };
                return Self::ALL.into_iter().find(is_in_there);
            }
            Some(word) => word,
            None if path.segments.first()?.ident == "fg_extension" => &path.segments.last()?.ident,
            None => return None,
        };
        let word = word.to_string();
        let word = word.strip_prefix("on_").unwrap_or(&word);
        let name = did_you_mean(word, &Self::ALL.map(Self::name))?;
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Helper {
    /// As written: `invoke`, or a misspelling of it.
    pub(crate) fn word(&self) -> String {
        let path = self.attribute.path().to_token_stream().to_string();
        path.replace(' ', "")
    }
}

/// Without the attributes that are ours.
impl ToTokens for Block {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        without_roles(&self.attributes).for_each(|attribute| attribute.to_tokens(tokens));
        self.head.to_tokens(tokens);
        let (inner_attributes, members) = (&self.inner_attributes, &self.members);
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#members)*));
        braces.set_span(self.braces.span());
        braces.to_tokens(tokens);
    }
}

/// A role where there should be none: it is told of, and rustc need not say that it does not find it.
pub(crate) fn without_roles(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    let has_role = |attribute: &&Attribute| Role::exactly(attribute).is_some();
    attributes
        .iter()
        .filter(move |attribute| !has_role(attribute))
}

impl ToTokens for Member {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if !self.helpers.is_empty() {
            // It must be async and take `self`, whether it needs to or not.
            tokens.extend(quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
        }
        match &self.item {
            MemberItem::Method(method) => method.to_tokens(tokens),
            MemberItem::Other(other, _) => other.to_tokens(tokens),
        }
    }
}
