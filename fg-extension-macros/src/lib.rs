//! The `#[extension]` attribute of the crate `fg-extension`, which re-exports it.
//!
//! `parse` reads what the author wrote, `lower` applies every rule and yields a `Model`, `expand` writes the program
//! and cannot fail. Where there is no `Model`, `fallback` keeps the item in place, so that one mistake is one error.

// Library code never panics, prints or exits (CONTRIBUTING.md).
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod diagnostics;
mod expand;
#[cfg(test)]
mod expansion_tests;
mod fallback;
mod lower;
mod model;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;

use diagnostics::Diagnostics;

/// Makes an `async fn`, or an `impl` block, the whole program of an extension; documented where `fg-extension`
/// re-exports it.
#[proc_macro_attribute]
pub fn extension(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    extension_impl(arguments.into(), item.into()).into()
}

fn extension_impl(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    let arguments = parse::arguments::parse_extension(arguments, &mut diagnostics);
    let item = parse::item::parse(tokens.clone(), &mut diagnostics);
    let model = lower::lower(&arguments, &item, &mut diagnostics);
    if model.is_none() && diagnostics.is_empty() {
        // An empty program must not pass for an extension.
        let message = "`#[extension]` cannot read this, see what rustc says of it";
        diagnostics.error(&tokens, message);
    }
    let errors = diagnostics.finish();
    let program = match model {
        Some(mut model) => {
            if errors.is_some() {
                // Methods with a mistake are left out, so the author's code for them is unused.
                let item = &model.item;
                model.item = quote!(#[allow(unused)] #item);
            }
            expand::expand(model)
        }
        None => fallback::fallback(&item),
    };
    quote! { #errors #program }
}
