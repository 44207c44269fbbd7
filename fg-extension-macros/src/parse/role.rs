//! The roles of methods and the attributes that assign them: `#[init]`, `#[invoke]`, `#[telemetry(…)]` and
//! `#[shutdown]`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Attribute, Meta};

use super::conflict::path_of;
use crate::diagnostics::did_you_mean;

/// The trait method that calls the author's method.
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

    /// Returns the role that the attribute assigns.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        let ident = attribute.path().get_ident()?;
        Self::ALL.into_iter().find(|role| ident == role.name())
    }

    /// Returns the role that the attribute assigns or was probably meant to assign: `#[invok]` and
    /// `#[fg_extension::invoke]` were meant to be `#[invoke]`.
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
    /// Returns the path of the attribute as written: `invoke`, or a misspelling of it.
    pub(crate) fn path(&self) -> String {
        path_of(&self.attribute)
    }
}

/// Returns the attributes without those that assign a role.
///
/// `lower` reports a role attribute in the wrong place. If it stayed in the output, rustc would also report it, as
/// unknown.
pub(crate) fn without_role_attributes(
    attributes: &[Attribute],
) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| Role::of(attribute).is_none())
}

/// Removes role attributes at any depth, because rustc would report each of them as unknown.
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

/// Returns whether this is the `[…]` part of a role attribute, such as `[invoke]`.
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
