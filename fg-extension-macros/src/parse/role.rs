//! The roles of methods, and the attributes that assign them: `#[init]`, `#[invoke]`, `#[telemetry(…)]`,
//! `#[shutdown]`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Meta};

use crate::diagnostics::did_you_mean;

/// Which method of the traits an author's method becomes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Init,
    Invoke,
    Telemetry,
    Shutdown,
}

/// An attribute that assigns a role, or a misspelling of one.
pub(crate) struct RoleAttribute {
    pub(crate) role: Role,
    pub(crate) attribute: Attribute,
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

    /// Returns the role that an attribute assigns.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        let ident = attribute.path().get_ident()?;
        Self::ALL.into_iter().find(|role| ident == role.name())
    }

    /// Returns the role that an attribute assigns or was probably meant to assign, as in `#[invok]` or
    /// `#[fg_extension::invoke]`.
    pub(super) fn guess(attribute: &Attribute) -> Option<Self> {
        let path = attribute.path();
        let ident = match path.get_ident() {
            Some(ident) if ident == "cfg_attr" => {
                let Meta::List(list) = &attribute.meta else {
                    return None;
                };
                let is_in_list = |role: &Self| {
                    let mut tokens = list.tokens.clone().into_iter();
                    tokens.any(|token| token.to_string() == role.name())
                };
                return Self::ALL.into_iter().find(is_in_list);
            }
            Some(ident) => ident,
            None if path.segments.first()?.ident == "fg_extension" => &path.segments.last()?.ident,
            None => return None,
        };
        let word = ident.to_string();
        let word = word.strip_prefix("on_").unwrap_or(&word);
        let name = did_you_mean(word, &Self::ALL.map(Self::name))?;
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl RoleAttribute {
    /// Returns its path as written: `invoke`, or a misspelling of it.
    pub(crate) fn path(&self) -> String {
        let path = self.attribute.path().to_token_stream().to_string();
        path.replace(' ', "")
    }
}

/// Returns the attributes that assign no role.
///
/// `lower` reports a role that is in the wrong place; rustc would report the same attribute as unknown.
pub(crate) fn without_role_attributes(
    attributes: &[Attribute],
) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| Role::of(attribute).is_none())
}

/// Removes role attributes at any depth: rustc would report each as unknown.
pub(crate) fn strip_role_attributes(tokens: TokenStream) -> TokenStream {
    let mut filtered = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let token = match token {
            TokenTree::Punct(pound) if pound.as_char() == '#' => {
                if tokens.next_if(is_role_attribute).is_some() {
                    continue;
                }
                TokenTree::Punct(pound)
            }
            TokenTree::Group(group) => {
                let mut inner =
                    Group::new(group.delimiter(), strip_role_attributes(group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other,
        };
        filtered.extend([token]);
    }
    filtered
}

/// Whether this is the `[invoke]` of `#[invoke]`, or that of another role.
fn is_role_attribute(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let first = group.stream().into_iter().next();
    let first = first.map(|token| token.to_string());
    group.delimiter() == Delimiter::Bracket
        && Role::ALL
            .iter()
            .any(|role| first.as_deref() == Some(role.name()))
}
