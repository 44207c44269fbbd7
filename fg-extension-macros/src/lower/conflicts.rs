//! Reports attributes that cannot be combined with `#[extension]`.

use syn::Attribute;

use crate::diagnostics::{Diagnostics, with_help};
use crate::parse::conflict::{Conflict, is_generated, path_of};

/// Reports each of the attributes. `extension_help` says what to do with a second `#[extension]`.
pub(super) fn report(conflicts: &[Attribute], extension_help: &str, diagnostics: &mut Diagnostics) {
    for attribute in conflicts {
        let path = path_of(attribute);
        let message = match Conflict::of(attribute) {
            None => continue,
            Some(Conflict::Runtime) => with_help(
                "`#[extension]` brings its own runtime and `main`",
                format!("remove `#[{path}]`"),
            ),
            // `#[tokio::test]` above `#[extension]` is expanded first, and leaves this attribute.
            Some(Conflict::Test) if is_generated(attribute) => with_help(
                "a test attribute, such as `#[tokio::test]`, cannot be combined with `#[extension]`",
                "move it to a separate function",
            ),
            Some(Conflict::Test) => with_help(
                format!("`#[{path}]` cannot be combined with `#[extension]`"),
                "move it to a separate function",
            ),
            Some(Conflict::Extension) => with_help("duplicate `#[extension]`", extension_help),
        };
        diagnostics.error(attribute, message);
    }
}
