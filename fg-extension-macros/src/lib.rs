//! The `#[extension]` attribute of the crate `fg-extension`, which re-exports it.
//!
//! `attr` and `item` read what the author wrote, `lower` holds every rule and yields a `Model`, `expand`
//! writes the program and cannot fail. After a mistake `fallback` keeps the author's item in place, so that
//! one mistake is one error.

mod attr;
mod diag;
mod expand;
mod fallback;
mod item;
mod lower;
mod model;

use proc_macro2::TokenStream;

/// Makes an `async fn` the whole program of an extension.
///
/// ```no_run
/// use fg_extension::{Error, Invocation, extension};
///
/// #[extension(name = "extensionHello.sh", port = 8081)]
/// async fn hello(invocation: Invocation) -> Result<(), Error> {
///     let name = invocation.invoked_function_urn.name().ok_or("an URN of a new form")?;
///     println!("{name} was invoked");
///     Ok(())
/// }
/// ```
///
/// The function takes one `Invocation` and returns `()` or `Result<(), E>`, where `E` is anything that turns
/// into `fg_extension::Error`. It stays what it is, so tests can call it. Beside it the attribute generates
/// `main`, so it belongs into the crate's root, `main.rs`: listen, register, serve the invocations, end in
/// order; the exit status is 0, or 1 after a line on stderr that says what went wrong.
///
/// | argument | value | checked at compile time |
/// | --- | --- | --- |
/// | `name` | the complete file name of the start script, a string literal | begins with `extension`, ends in `.sh`, no `/`, printable ASCII, 255 bytes at most |
/// | `port` | the port of the extension's server: a literal, a constant or a constant expression of type `u16` | 8081 to 8090 |
#[proc_macro_attribute]
pub fn extension(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    extension_impl(arguments.into(), item.into()).into()
}

fn extension_impl(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut diagnostics = diag::Diagnostics::new();
    let arguments = attr::parse(arguments, &mut diagnostics);
    let item = item::parse(tokens.clone(), &mut diagnostics);
    let model = lower::lower(arguments, item.as_ref(), &mut diagnostics);
    match (diagnostics.finish(), model) {
        (None, Some(model)) => expand::expand(model),
        (errors, _) => fallback::fallback(errors, item.as_ref(), tokens),
    }
}
