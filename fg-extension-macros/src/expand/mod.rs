mod call;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use call::call;

use crate::model::{Form, Method, Methods, Model, Telemetry};

/// The program: the author's item, its `Extension`, and a `main` that runs it.
///
/// Everything that is named is in `__private`, imported in a scope of its own.
pub(crate) fn expand(model: Model) -> TokenStream {
    let Model {
        krate,
        name,
        port,
        timeout,
        form,
        cfgs,
        item,
    } = model;
    // Of the same place as the crate's path: it is the path that is wrong if this is not there.
    let (_, span) = call::ends(&krate);
    let private = Ident::new("__private", span);
    let import = quote! { use #krate::#private; };
    let root = quote! { const _: () = __private::assert_root(__private::module_path!()); };
    // The standard library's own path, so that a crate that is not there is said once: of the import.
    let returns = quote! { -> ::std::process::ExitCode };
    let port = new_port(&port);
    // A constant of its own, since `cargo check` does not evaluate those of an impl.
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

    match form {
        Form::Function {
            name: function,
            invoke,
        } => {
            // A function called `main` moves into the `main` that is generated.
            let (beside, inside) = match function.unraw() == "main" {
                true => (None, Some(item)),
                false => (Some(item), None),
            };
            let invoke = expand_invoke(&invoke, None);
            quote! {
                #beside

                #(#[cfg(#cfgs)])*
                fn main() #returns {
                    #import
                    #inside

                    #root
                    #port
                    struct __Extension;
                    impl __private::Extension for __Extension {
                        #constants
                        const SHUTS_DOWN: bool = false;

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
        Form::Block(methods) => {
            let Methods {
                self_type,
                init,
                invoke,
                telemetry,
                shutdown,
            } = *methods;
            let handles_nothing = handles_nothing(&self_type, &invoke, &telemetry);
            let (telemetry_ports, telemetry): (TokenStream, TokenStream) =
                telemetry.iter().map(expand_telemetry).unzip();
            let init = with_default(&init, expand_init, default_init(&self_type));
            let with_self = |invoke: &Method| expand_invoke(invoke, Some(quote!(self)));
            let invoke = with_default(&invoke, with_self, ignore_invocations());
            let shuts_down = shutdown
                .is_empty()
                .then(|| quote! { const SHUTS_DOWN: bool = false; });
            let shutdown = shutdown.iter().map(expand_shutdown);
            quote! {
                #item

                #handles_nothing

                #(#[cfg(#cfgs)])*
                const _: () = {
                    #import

                    #root
                    #port
                    #telemetry_ports
                    impl __private::Extension for #self_type {
                        #constants
                        #shuts_down
                        #init
                        #invoke
                        #telemetry
                        #(#shutdown)*
                    }
                };

                #(#[cfg(#cfgs)])*
                fn main() #returns {
                    #import
                    __private::main::<#self_type>()
                }
            }
        }
    }
}

/// The methods of one role, and what there is if `#[cfg]` leaves none of them.
fn with_default(
    methods: &[Method],
    expand: impl Fn(&Method) -> TokenStream,
    default: TokenStream,
) -> TokenStream {
    let expanded = methods.iter().map(expand);
    let default = match methods {
        [] => Some(default),
        _ => none_left(methods).map(|cfg| quote!(#cfg #default)),
    };
    quote! { #(#expanded)* #default }
}

/// The `#[cfg]` under which none of the methods is left; nothing if one always is.
fn none_left<'a>(methods: impl IntoIterator<Item = &'a Method>) -> Option<TokenStream> {
    let mut conditions = Vec::new();
    for Method { cfgs, .. } in methods {
        if cfgs.is_empty() {
            return None;
        }
        conditions.push(quote!(all(#(#cfgs),*)));
    }
    Some(quote!(#[cfg(not(any(#(#conditions),*)))]))
}

/// An error where `#[cfg]` leaves nothing to handle.
fn handles_nothing(
    self_type: &TokenStream,
    invoke: &[Method],
    telemetry: &[Telemetry],
) -> Option<TokenStream> {
    let handlers = invoke.iter().chain(telemetry.iter().map(|it| &it.method));
    // If there is none at all, that is told.
    handlers.clone().next()?;
    let cfg = none_left(handlers)?;
    let message = format!(
        "`{}` handles nothing here, since `#[cfg]` leaves no method with `#[invoke]` or `#[telemetry]`",
        self_type.to_string().replace(' ', "")
    );
    let (first, _) = call::ends(self_type);
    Some(quote_spanned! {first=>
        #cfg
        ::core::compile_error! { #message }
    })
}

fn default_init(self_type: &TokenStream) -> TokenStream {
    quote! {
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(<#self_type as __private::WithoutInit>::without_init())
        }
    }
}

fn expand_init(init: &Method) -> TokenStream {
    let Method { cfgs, span, .. } = init;
    let registration = local("registration");
    let signature = quote_spanned! {at(*span)=>
        async fn init(
            #registration: &__private::Registration,
        ) -> __private::Result<Self, __private::Error>
    };
    let body = call(
        init,
        None,
        Some(&registration),
        quote!(__private::IntoExtension::<Self>::into_extension),
    );
    quote! {
        #(#[cfg(#cfgs)])*
        #signature { #body }
    }
}

fn expand_invoke(invoke: &Method, receiver: Option<TokenStream>) -> TokenStream {
    let Method { cfgs, span, .. } = invoke;
    let invocation = local("invocation");
    let signature = quote_spanned! {at(*span)=>
        async fn invoke(
            &self,
            #invocation: __private::Invocation,
        ) -> __private::Result<(), __private::Error>
    };
    let body = call(
        invoke,
        receiver,
        Some(&invocation),
        quote!(__private::IntoOutcome::into_outcome),
    );
    quote! {
        #(#[cfg(#cfgs)])*
        #signature { #body }
    }
}

/// Of an extension that wants telemetry only; the platform posts invocations to it all the same.
fn ignore_invocations() -> TokenStream {
    quote! {
        async fn invoke(
            &self,
            _: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            __private::Result::Ok(())
        }
    }
}

/// The constant of the port, and what belongs into the impl.
fn expand_telemetry(telemetry: &Telemetry) -> (TokenStream, TokenStream) {
    let Telemetry {
        port,
        types,
        method,
    } = telemetry;
    let Method { cfgs, span, .. } = method;
    let port = new_port(port);
    let constant = quote! {
        #(#[cfg(#cfgs)])*
        const __TELEMETRY_PORT: __private::Port = #port;
    };
    let events = local("events");
    let signature = quote_spanned! {at(*span)=>
        async fn telemetry(
            &self,
            #events: __private::Vec<__private::TelemetryEvent>,
        ) -> __private::Result<(), __private::Error>
    };
    let body = call(
        method,
        Some(quote!(self)),
        Some(&events),
        quote!(__private::IntoOutcome::into_outcome),
    );
    let members = quote! {
        #(#[cfg(#cfgs)])*
        const TELEMETRY: __private::Option<__private::Subscription> =
            __private::Option::Some(__private::Subscription::new(
                __TELEMETRY_PORT,
                &[#(__private::TelemetryType::#types),*],
            ));

        #(#[cfg(#cfgs)])*
        #signature { #body }
    };
    (constant, members)
}

fn expand_shutdown(shutdown: &Method) -> TokenStream {
    let Method { cfgs, span, .. } = shutdown;
    let signature = quote_spanned! {at(*span)=>
        async fn shutdown(&self) -> __private::Result<(), __private::Error>
    };
    let body = call(
        shutdown,
        Some(quote!(self)),
        None,
        quote!(__private::IntoOutcome::into_outcome),
    );
    quote! {
        #(#[cfg(#cfgs)])*
        #signature { #body }
    }
}

/// `Port::new(port)`, underlined from the port's first token to its last when the port is out of range.
fn new_port(port: &TokenStream) -> TokenStream {
    let (first, last) = call::ends(port);
    let mut argument = Group::new(Delimiter::Parenthesis, port.clone());
    argument.set_span(last);
    let new = quote_spanned! {first=> __private::Port::new };
    quote! { #new #argument }
}

/// A variable that no name of the author's is taken for.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Where the author's code is, with generated code's names.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
