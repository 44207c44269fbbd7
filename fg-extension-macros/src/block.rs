use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Generics, Path, Signature, Token, Type, Visibility, token};

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
    Other(TokenStream),
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
        let start = input.fork();
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        let mut generics: Generics = input.parse()?;
        let of_trait = parse_trait(input)?;
        let self_type = input.parse()?;
        generics.where_clause = input.parse()?;
        let head = head(&start)?;
        let TokenTree::Group(braces) = input.parse()? else {
            return Err(input.error("expected the braces of the `impl`"));
        };
        let (inner_attributes, members) = parse_members.parse2(braces.stream())?;
        Ok(Self {
            head,
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

/// All tokens up to the braces of the impl.
fn head(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut head = TokenStream::new();
    while !input.peek(token::Brace) {
        head.extend([input.parse::<TokenTree>()?]);
    }
    Ok(head)
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
        match Role::of(&attribute) {
            Some(role) => helpers.push(Helper { role, attribute }),
            None => attributes.push(attribute),
        }
    }
    let fork = input.fork();
    let is_method = fork.parse::<Visibility>().is_ok() && fork.parse::<Signature>().is_ok();
    if is_method && (fork.peek(token::Brace) || fork.peek(Token![;])) {
        let visibility = input.parse()?;
        let item = MemberItem::Method(Box::new(Function::parse(attributes, visibility, input)?));
        return Ok(Member { helpers, item });
    }
    // A constant, a type or a macro: up to its semicolon, or its braces if those are not a value.
    let mut tokens = quote!(#(#attributes)*);
    let mut is_value = false;
    while !input.is_empty() {
        let token = input.parse::<TokenTree>()?;
        let ends = match &token {
            TokenTree::Punct(punct) => {
                is_value |= punct.as_char() == '=';
                punct.as_char() == ';'
            }
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_value,
            _ => false,
        };
        tokens.extend([token]);
        if ends {
            break;
        }
    }
    let item = MemberItem::Other(tokens);
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

    /// The role that an attribute gives, or was meant to give.
    fn of(attribute: &Attribute) -> Option<Self> {
        let word = attribute.path().get_ident()?.to_string();
        let name = did_you_mean(&word, &Self::ALL.map(Self::name))?;
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Helper {
    /// As written: `invoke`, or a misspelling of it.
    pub(crate) fn word(&self) -> String {
        self.attribute.path().to_token_stream().to_string()
    }
}

/// Without the attributes that are ours.
impl ToTokens for Block {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.attributes.iter().map(ToTokens::to_token_stream));
        self.head.to_tokens(tokens);
        let (inner_attributes, members) = (&self.inner_attributes, &self.members);
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#members)*));
        braces.set_span(self.braces.span());
        braces.to_tokens(tokens);
    }
}

impl ToTokens for Member {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if !self.helpers.is_empty() {
            // It must be async and take `self`, whether it needs to or not.
            tokens.extend(quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
        }
        match &self.item {
            MemberItem::Method(method) => method.to_tokens(tokens),
            MemberItem::Other(other) => other.to_tokens(tokens),
        }
    }
}
