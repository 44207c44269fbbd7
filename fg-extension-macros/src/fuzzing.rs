//! The fuzz target of the attribute. `fuzz/` runs it with libFuzzer, and the property test below on the corpus in
//! `fuzz/corpus/attribute/` and on mutations of it.

// A panic is how a target reports a problem.
#![allow(clippy::panic)]

use std::str::FromStr;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, MetaNameValue, Token};

use crate::extension_impl;
use crate::second::Earlier;

/// Expands the attribute. The input is the arguments, and the item from the first line break on.
///
/// The expansion must be Rust, and either the program or at least one `compile_error!`.
pub fn attribute(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (arguments, item) = text.split_once('\n').unwrap_or((&text, ""));
    // rustc only calls the macro with what it can split into tokens.
    let (Ok(arguments), Ok(item)) = (
        TokenStream::from_str(arguments),
        TokenStream::from_str(item),
    ) else {
        return;
    };
    if count(&arguments) + count(&item) > MAX_TOKENS {
        return;
    }
    let is_rust = syn::parse2::<syn::Item>(item.clone()).is_ok();
    let expansion = extension_impl(arguments.clone(), item, false, |_| Earlier::default());
    let has_errors = expansion.to_string().contains("compile_error");
    match syn::parse2::<syn::File>(expansion.clone()) {
        Ok(file) => {
            let is_main = |item: &syn::Item| matches!(item, syn::Item::Fn(function) if function.sig.ident == "main");
            assert!(has_errors || file.items.iter().any(is_main), "{expansion}");
        }
        // An item that is not Rust is emitted as it is, so that rustc reports what is wrong with it.
        Err(error) => assert!(!is_rust, "{error}: {expansion}"),
    }
    if !has_errors {
        check_arguments(arguments);
    }
}

/// Tests that arguments that are accepted are valid.
fn check_arguments(arguments: TokenStream) {
    let parser = Punctuated::<MetaNameValue, Token![,]>::parse_terminated;
    let arguments = parser
        .parse2(arguments.clone())
        .unwrap_or_else(|error| panic!("{error}: {arguments}"));
    let names: Vec<_> = arguments
        .iter()
        .map(|argument| argument.path.to_token_stream().to_string())
        .collect();
    for name in &names {
        assert!(
            ["name", "port", "timeout", "crate"].contains(&name.as_str()),
            "{name}"
        );
        let same = names.iter().filter(|other| *other == name);
        assert_eq!(same.count(), 1, "{name}");
    }
    for required in ["name", "port"] {
        assert!(
            names.iter().any(|name| name == required),
            "{required} is missing"
        );
    }
    for (name, argument) in names.iter().zip(&arguments) {
        match (name.as_str(), ungrouped(&argument.value)) {
            (
                "name",
                Expr::Lit(ExprLit {
                    lit: Lit::Str(script),
                    ..
                }),
            ) => {
                assert_eq!(fg_util::script_name::check(&script.value()), Ok(()));
            }
            (
                "timeout",
                Expr::Lit(ExprLit {
                    lit: Lit::Str(timeout),
                    ..
                }),
            ) => {
                let timeout = fg_util::duration::parse(&timeout.value());
                assert!(timeout.is_some_and(|timeout| timeout >= Duration::from_millis(1)));
            }
            (
                "port",
                Expr::Lit(ExprLit {
                    lit: Lit::Int(port),
                    ..
                }),
            ) => {
                let port: u64 = port.base10_parse().unwrap_or_default();
                assert!((8081..=8090).contains(&port), "{port}");
            }
            // Other expressions are evaluated by rustc.
            ("port" | "crate", _) => {}
            (name, value) => panic!("{name} = {}", value.to_token_stream()),
        }
    }
}

/// Returns the expression in parentheses.
fn ungrouped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Paren(inner) => ungrouped(&inner.expr),
        Expr::Group(inner) => ungrouped(&inner.expr),
        expression => expression,
    }
}

/// The maximum number of tokens. The parser of expressions recurses, and no program has an argument with so many operators.
const MAX_TOKENS: usize = 500;

fn count(tokens: &TokenStream) -> usize {
    let counts = tokens.clone().into_iter().map(|token| match token {
        proc_macro2::TokenTree::Group(group) => 1 + count(&group.stream()),
        _ => 1,
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn attribute() {
        // As much as rustc has, for debug builds.
        let builder = std::thread::Builder::new().stack_size(32 << 20);
        let check = || fuzz_corpus::check("attribute", 3_000, super::attribute);
        builder.spawn(check).unwrap().join().unwrap();
    }
}
