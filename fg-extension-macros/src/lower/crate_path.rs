//! The argument `crate`: the path by which generated code refers to `fg_extension`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Expr;

use super::literal::ungrouped;
use crate::diagnostics::{Diagnostics, with_help};

pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    match ungrouped(value) {
        Expr::Path(path) if path.attrs.is_empty() && path.qself.is_none() => {
            Some(path.to_token_stream())
        }
        _ => {
            let message = with_help(
                "`crate` must be a path",
                "write the path of the `fg_extension` crate, such as `crate = sdk::fg_extension`",
            );
            diagnostics.error(value, message);
            None
        }
    }
}
