//! Tests of the generated code against the files in `expansions/`, which `UPDATE_EXPECT=1 cargo test` updates.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;
use quote::quote;

use crate::extension_impl;
use crate::second::Earlier;

fn check(arguments: TokenStream, item: TokenStream, expected: ExpectFile) {
    let expansion = extension_impl(arguments, item, false, |_| Earlier::default());
    let file = syn::parse2(expansion).expect("the expansion is Rust");
    expected.assert_eq(&prettyplease::unparse(&file));
}

#[test]
fn script_names_are_valid_as_in_the_golden_list() {
    let (valid, invalid) = include!("../../tests/golden/script_names.rs");
    let is_rejected = |name| {
        let arguments = quote!(name = #name, port = 8081);
        let item = quote!(
            async fn hello(_: Invocation) {}
        );
        extension_impl(arguments, item, false, |_| Earlier::default())
            .to_string()
            .contains("compile_error")
    };
    for name in valid {
        assert!(!is_rejected(name), "{name:?}");
    }
    for name in invalid {
        assert!(is_rejected(name), "{name:?}");
    }
}

#[test]
fn function_expands_to_a_program() {
    check(
        quote!(name = "extensionHello.sh", port = 8081),
        quote! {
            /// Called for every invocation.
            #[allow(clippy::print_stdout)]
            pub(crate) async fn hello(invocation: Invocation) {
                println!("{}", invocation.trace_id);
            }
        },
        expect_file!["../expansions/function.rs"],
    );
}

#[test]
fn function_named_main_moves_into_the_generated_main() {
    check(
        quote!(
            name = "extensionHello.sh",
            port = PORT,
            timeout = "1.5s",
            crate = sdk::fg_extension
        ),
        quote! {
            #[cfg(unix)]
            async fn main(_: Invocation) -> Result<(), Error> {
                Ok(())
            }
        },
        expect_file!["../expansions/function_named_main.rs"],
    );
}

#[test]
fn impl_block_expands_to_a_program() {
    check(
        quote!(name = "extensionForwarder.sh", port = 8081),
        quote! {
            impl Forwarder {
                const BATCH: usize = 100;

                #[init]
                async fn connect(registration: &Registration) -> Result<Self, Error> {
                    Self::new(registration).await
                }

                #[invoke]
                async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
                    self.note(invocation)
                }

                #[telemetry(port = 8082, types(platform, function))]
                async fn on_telemetry(
                    &self,
                    events: Vec<TelemetryEvent>,
                    counters: &TelemetryCounters,
                ) -> Result<(), Error> {
                    self.send(events, counters.lost()).await
                }

                #[shutdown]
                async fn flush(&self) {}

                fn note(&self, invocation: Invocation) -> Result<(), Error> {
                    Ok(())
                }
            }
        },
        expect_file!["../expansions/impl_block.rs"],
    );
}

#[test]
fn omitted_methods_get_defaults() {
    check(
        quote!(name = "extensionArchive.sh", port = 8081),
        quote! {
            impl Archive {
                #[cfg(feature = "telemetry")]
                #[telemetry(port = 8082, types(extension))]
                async fn append(&self, events: Vec<TelemetryEvent>) {}
            }
        },
        expect_file!["../expansions/omitted_methods.rs"],
    );
}

#[test]
fn invalid_arguments_are_replaced() {
    check(
        quote!(name = "extensionHello.sh", port = 8080),
        quote!(
            async fn hello(_: Invocation) {}
        ),
        expect_file!["../expansions/invalid_arguments.rs"],
    );
}

#[test]
fn invalid_methods_are_left_out() {
    check(
        quote!(name = "extensionForwarder.sh", port = 8081),
        quote! {
            impl Forwarder {
                #[invoke]
                fn on_invoke(&self, _: Invocation) {}

                #[shutdown]
                async fn flush(&mut self) {}
            }
        },
        expect_file!["../expansions/invalid_method.rs"],
    );
}

#[test]
fn invalid_item_stays_in_place() {
    check(
        quote!(name = "extensionHello.sh", port = 8081),
        quote!(
            async fn hello<T>(_: Invocation) {}
        ),
        expect_file!["../expansions/invalid_item.rs"],
    );
}
