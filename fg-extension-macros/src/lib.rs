//! The `#[extension]` attribute of [fg-extension], which re-exports and documents it.
//!
//! This crate is an implementation detail of `fg-extension`: depend on that crate instead.
//!
//! [fg-extension]: https://docs.rs/fg-extension

// The stages: `parse` builds a syntax tree, `lower` validates it and returns a `Model`, and `expand` generates the
// program and cannot fail. Without a `Model`, `fallback` emits the author's item, so that rustc does not report names
// that are missing only because of another mistake.

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
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod library;
mod lower;
mod model;
mod parse;
mod second;

use proc_macro2::{Span, TokenStream};
use quote::quote;

use diagnostics::Diagnostics;
use parse::item::Item;
use second::Earlier;

// The fuzzer builds this crate as an ordinary library.
#[cfg(not(fuzzing))]
#[expect(
    missing_docs,
    reason = "the documentation is at the re-export in fg-extension; rustdoc would append this one to it"
)]
#[proc_macro_attribute]
pub fn extension(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let is_library = library::is_library(&proc_macro::Span::call_site().file(), is_set);
    extension_impl(arguments.into(), item.into(), is_library, second::earlier).into()
}

fn extension_impl(
    arguments: TokenStream,
    tokens: TokenStream,
    is_library: bool,
    earlier: impl FnOnce(bool) -> Earlier,
) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    if is_library {
        diagnostics.push(syn::Error::new(Span::call_site(), library::MESSAGE));
    }
    let arguments = parse::arguments::parse_extension(arguments, &mut diagnostics);
    let item = parse::item::parse(tokens.clone(), &mut diagnostics);
    let earlier = earlier(!matches!(item, Item::Other(_)));
    if earlier.has_extension && !is_library {
        diagnostics.push(syn::Error::new(Span::call_site(), second::MESSAGE));
    }
    let model = lower::lower(&arguments, &item, &mut diagnostics);
    if model.is_none() && diagnostics.is_empty() {
        // Without a program there must be an error, or the crate would compile to nothing.
        let message = "`#[extension]` cannot generate a program from this item";
        diagnostics.error(&tokens, message);
    }
    let errors = diagnostics.finish();
    let program = match model {
        _ if earlier.has_main => fallback::without_main(&item),
        Some(mut model) => {
            if errors.is_some() {
                // Invalid methods are not called, so they and their helpers would be reported as unused.
                let item = &model.item;
                model.item = quote!(#[allow(unused)] #item);
            }
            expand::expand(model)
        }
        None => fallback::fallback(&item),
    };
    quote! { #errors #program }
}
