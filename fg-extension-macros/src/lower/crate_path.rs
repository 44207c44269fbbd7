//! The argument `crate`: where generated code finds fg-extension.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Expr;

use super::literal::ungrouped;
use crate::diagnostics::Diagnostics;

pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    match ungrouped(value) {
        Expr::Path(path) if path.attrs.is_empty() && path.qself.is_none() => {
            Some(path.to_token_stream())
        }
        _ => {
            diagnostics.error(
                value,
                "`crate` takes the path of fg-extension, as in `crate = sdk::fg_extension`",
            );
            None
        }
    }
}
