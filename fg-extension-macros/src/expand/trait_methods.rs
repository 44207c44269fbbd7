//! Generates the trait methods, which call the author's methods.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::any_left;
use super::call::{call, patterns};
use super::spans::{local, located_at};
use crate::model::Callee;

/// Generates `Extension::init`, which uses `Default` if there is no `#[init]` method.
pub(super) fn expand_init(init: &[Callee], self_type: &TokenStream) -> TokenStream {
    let default = quote! {
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(<#self_type as __private::DefaultInit>::default_init())
        }
    };
    with_default(init, default, |init| {
        let arguments = [local("registration")];
        let patterns = patterns(init, &arguments);
        let signature = quote_spanned! {located_at(init.span)=>
            async fn init(
                #(#patterns: &__private::Registration,)*
            ) -> __private::Result<Self, __private::Error>
        };
        let into = quote!(__private::IntoInitResult::<Self>::into_init_result);
        let body = call(init, None, &arguments, into);
        quote! { #signature { #body } }
    })
}

/// Generates `Extension::invoke`, which does nothing if there is no `#[invoke]` method.
///
/// It is always needed, because the platform posts invocations to every extension.
pub(super) fn expand_invoke(invoke: &[Callee], receiver: Option<TokenStream>) -> TokenStream {
    let default = quote! {
        async fn invoke(
            &self,
            _: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            __private::Result::Ok(())
        }
    };
    with_default(invoke, default, |invoke| {
        let arguments = [local("invocation")];
        let signature = quote_spanned! {located_at(invoke.span)=>
            async fn invoke(
                &self,
                #(#arguments: __private::Invocation,)*
            ) -> __private::Result<(), __private::Error>
        };
        let body = call(invoke, receiver.clone(), &arguments, into_handler_result());
        quote! { #signature { #body } }
    })
}

/// Generates `TelemetryHandler::telemetry`.
pub(super) fn expand_telemetry(telemetry: &Callee) -> TokenStream {
    let arguments = [local("events"), local("counters")];
    let patterns = patterns(telemetry, &arguments);
    let types = [
        quote!(__private::Vec<__private::TelemetryEvent>),
        quote!(&__private::TelemetryCounters),
    ];
    let signature = quote_spanned! {located_at(telemetry.span)=>
        async fn telemetry(
            &self,
            #(#patterns: #types,)*
        ) -> __private::Result<(), __private::Error>
    };
    let receiver = Some(quote!(self));
    let body = call(telemetry, receiver, &arguments, into_handler_result());
    quote! { #signature { #body } }
}

/// Generates `Extension::shutdown`, for which the trait has a default.
pub(super) fn expand_shutdown(shutdown: &Callee) -> TokenStream {
    let cfgs = &shutdown.cfgs;
    let signature = quote_spanned! {located_at(shutdown.span)=>
        async fn shutdown(&self) -> __private::Result<(), __private::Error>
    };
    let receiver = Some(quote!(self));
    let body = call(shutdown, receiver, &[], into_handler_result());
    quote! {
        #(#[cfg(#cfgs)])*
        #signature { #body }
    }
}

fn into_handler_result() -> TokenStream {
    quote!(__private::IntoHandlerResult::into_handler_result)
}

/// Expands the alternatives of a method, and adds the default for the case that `#[cfg]` removes all of them.
fn with_default(
    callees: &[Callee],
    default: TokenStream,
    expand: impl Fn(&Callee) -> TokenStream,
) -> TokenStream {
    let cfgs = callees.iter().map(|callee| &callee.cfgs);
    let expanded = cfgs.zip(callees.iter().map(expand));
    let expanded = expanded.map(|(cfgs, expanded)| quote!(#(#[cfg(#cfgs)])* #expanded));
    let default = match callees {
        [] => Some(default),
        _ => any_left(callees).map(|any_left| quote!(#[cfg(not(#any_left))] #default)),
    };
    quote! { #(#expanded)* #default }
}
