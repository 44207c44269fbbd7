//! Generates the program: the author's item, the implementations of the traits, and `main`.

mod call;
mod spans;
mod trait_methods;

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::diagnostics::with_help;
use crate::model::{Callee, Handlers, Methods, Model, Subscription, TelemetryMethod};
use spans::first_and_last;
use trait_methods::{expand_init, expand_invoke, expand_shutdown, expand_telemetry};

/// Generates the program.
///
/// Generated code refers to all names through `__private`, which each scope imports.
pub(crate) fn expand(model: Model) -> TokenStream {
    let Model {
        crate_path,
        name,
        port,
        timeout,
        handlers,
        cfgs,
        item,
    } = model;
    // If the path is wrong, rustc reports that `__private` is missing. This span makes it point at the path.
    let (_, span) = first_and_last(&crate_path);
    let private = Ident::new("__private", span);
    let import = quote! { use #crate_path::#private; };
    let root = quote! { const _: () = __private::assert_root(__private::module_path!()); };
    // Not through `__private`, so that a missing crate is reported only once, at the import.
    let exit_code = quote! { ::std::process::ExitCode };
    let marker = program_marker(&cfgs);
    let port = new_port(&port);
    // The constant is outside of the `impl` because `cargo check` does not evaluate associated constants.
    let port = quote! { const __PORT: __private::Port = #port; };
    let timeout = timeout.map(|timeout| {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        quote! {
            const TIMEOUT: __private::Option<__private::Duration> =
                __private::Option::Some(__private::Duration::from_millis(#millis));
        }
    });
    let constants = quote! {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(#name);
        const PORT: __private::Port = __PORT;
        #timeout
    };

    match handlers {
        Handlers::Function {
            name: function,
            invoke,
        } => {
            // A function named `main` moves into the generated `main`.
            let (outside, inside) = if function.unraw() == "main" {
                (None, Some(item))
            } else {
                (Some(item), None)
            };
            let invoke = expand_invoke(&[invoke], None);
            quote! {
                #outside
                #marker

                #(#[cfg(#cfgs)])*
                fn main() -> #exit_code {
                    #import
                    #inside

                    #root
                    #port
                    struct __Extension;
                    impl __private::Extension for __Extension {
                        #constants

                        async fn init(
                            _: &__private::Registration,
                        ) -> __private::Result<Self, __private::Error> {
                            __private::Result::Ok(Self)
                        }

                        #invoke
                    }
                    __private::main::<__Extension>()
                }
            }
        }
        Handlers::Impl(methods) => {
            let Methods {
                self_type,
                init,
                invoke,
                telemetry,
                shutdown,
            } = *methods;
            let no_handler_left = no_handler_left(&self_type, &invoke, &telemetry);
            let init = expand_init(&init, &self_type);
            let invoke = expand_invoke(&invoke, Some(quote!(self)));
            let shutdown = shutdown.iter().map(expand_shutdown);
            let run = run(&self_type, &telemetry);
            let telemetry = telemetry
                .iter()
                .map(|method| implement_telemetry_handler(method, &self_type));
            quote! {
                #item
                #marker

                #no_handler_left

                #(#[cfg(#cfgs)])*
                const _: () = {
                    #import

                    #root
                    #port
                    impl __private::Extension for #self_type {
                        #constants
                        #init
                        #invoke
                        #(#shutdown)*
                    }

                    #(#telemetry)*
                };

                #(#[cfg(#cfgs)])*
                fn main() -> #exit_code {
                    #import
                    #run
                }
            }
        }
    }
}

/// Generates the item that a second `#[extension]` defines again, if `second` does not recognize it. A second `main` is an
/// error too, but the author has not written one, and this name says what the mistake is.
pub(crate) fn program_marker(cfgs: &[TokenStream]) -> TokenStream {
    quote! {
        #(#[cfg(#cfgs)])*
        const __ONE_EXTENSION_PER_PROGRAM: () = ();
    }
}

fn implement_telemetry_handler(
    telemetry: &TelemetryMethod,
    self_type: &TokenStream,
) -> TokenStream {
    let TelemetryMethod {
        subscription: Subscription { port, types },
        method,
    } = telemetry;
    let cfgs = &method.cfgs;
    let port = new_port(port);
    let telemetry = expand_telemetry(method);
    // Outside of the `impl` for the same reason as `__PORT`.
    quote! {
        #(#[cfg(#cfgs)])*
        const __TELEMETRY_PORT: __private::Port = #port;

        #(#[cfg(#cfgs)])*
        impl __private::TelemetryHandler for #self_type {
            const SUBSCRIPTION: __private::Subscription = __private::Subscription::new(
                __TELEMETRY_PORT,
                &[#(__private::TelemetryType::#types),*],
            );

            #telemetry
        }
    }
}

/// Returns the call that runs the extension, with telemetry if `#[cfg]` keeps a `#[telemetry]` method.
fn run(self_type: &TokenStream, telemetry: &[TelemetryMethod]) -> TokenStream {
    let without_telemetry = quote! { __private::main::<#self_type>() };
    let with_telemetry = quote! { __private::main_with_telemetry::<#self_type>() };
    match telemetry {
        [] => without_telemetry,
        _ => match any_left(telemetry.iter().map(|telemetry| &telemetry.method)) {
            None => with_telemetry,
            Some(any_left) => quote! {
                #[cfg(#any_left)]
                {
                    #with_telemetry
                }
                #[cfg(not(#any_left))]
                {
                    #without_telemetry
                }
            },
        },
    }
}

/// Returns a `compile_error!` for the case that `#[cfg]` removes every handler, or `None` if that cannot happen.
fn no_handler_left(
    self_type: &TokenStream,
    invoke: &[Callee],
    telemetry: &[TelemetryMethod],
) -> Option<TokenStream> {
    let handlers = invoke.iter().chain(telemetry.iter().map(|it| &it.method));
    // `lower` reports an `impl` block without handlers.
    handlers.clone().next()?;
    let any_left = any_left(handlers)?;
    let message = format!(
        "`#[cfg]` disables every method of `{}` with `#[invoke]` or `#[telemetry]`",
        self_type.to_string().replace(' ', "")
    );
    let message = with_help(message, "keep at least one of them in every configuration");
    let (first, _) = first_and_last(self_type);
    Some(quote_spanned! {first=>
        #[cfg(not(#any_left))]
        ::core::compile_error! { #message }
    })
}

/// Returns the condition under which `#[cfg]` keeps at least one of the methods, or `None` if it always does.
fn any_left<'a>(methods: impl IntoIterator<Item = &'a Callee>) -> Option<TokenStream> {
    let mut conditions = Vec::new();
    for Callee { cfgs, .. } in methods {
        if cfgs.is_empty() {
            return None;
        }
        conditions.push(quote!(all(#(#cfgs),*)));
    }
    Some(quote!(any(#(#conditions),*)))
}

/// Returns `Port::new(port)`, with spans that make rustc underline the whole expression if the port is out of range.
fn new_port(port: &TokenStream) -> TokenStream {
    let (first, last) = first_and_last(port);
    let mut argument = Group::new(Delimiter::Parenthesis, port.clone());
    argument.set_span(last);
    let new = quote_spanned! {first=> __private::Port::new };
    quote! { #new #argument }
}
