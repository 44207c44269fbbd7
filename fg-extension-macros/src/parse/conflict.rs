//! Attributes that cannot be combined with `#[extension]`.

use quote::ToTokens;
use syn::Attribute;

/// Why an attribute conflicts with `#[extension]`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Conflict {
    /// `#[tokio::main]`, or the attribute of another runtime: turns the function into one that starts a runtime.
    Runtime,
    /// `#[test]` or `#[tokio::test]`: removes the function from the program.
    Test,
    /// A second `#[extension]`.
    Extension,
}

impl Conflict {
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        let segments = &attribute.path().segments;
        let (first, last) = (segments.first()?, segments.last()?);
        // Other crates may have an attribute of the same name.
        let may_be_ours = segments.len() == 1 || first.ident == "fg_extension";
        match last.ident.to_string().as_str() {
            "main" => Some(Self::Runtime),
            "test" => Some(Self::Test),
            "extension" if may_be_ours => Some(Self::Extension),
            _ => None,
        }
    }
}

/// Returns the path of the attribute as written, such as `tokio::main`.
pub(crate) fn path_of(attribute: &Attribute) -> String {
    let path = attribute.path().to_token_stream().to_string();
    path.replace(' ', "")
}

/// Returns whether a macro wrote the attribute, as in `#[::core::prelude::v1::test]`. Authors write `#[test]`.
pub(crate) fn is_generated(attribute: &Attribute) -> bool {
    let mut segments = attribute.path().segments.iter();
    segments.any(|segment| segment.ident == "prelude")
}
