use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token};

use crate::diag::Diagnostics;

/// The arguments of `#[extension(…)]`, as written.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Option<Expr>,
    pub(crate) port: Option<Expr>,
    /// Whether all of them could be read: otherwise one that is missing may only be unread.
    pub(crate) complete: bool,
}

pub(crate) fn parse(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Arguments {
    let mut arguments = Arguments::default();
    let parser = |input: ParseStream<'_>| parse_list(input, &mut arguments, diagnostics);
    let result = parser.parse2(tokens);
    arguments.complete = diagnostics.check(result).is_some();
    arguments
}

fn parse_list(
    input: ParseStream<'_>,
    arguments: &mut Arguments,
    diagnostics: &mut Diagnostics,
) -> syn::Result<()> {
    while !input.is_empty() {
        let key = input.call(Ident::parse_any)?;
        let argument = match key.to_string().as_str() {
            "name" => Some((&mut arguments.name, "name = \"extensionHello.sh\"")),
            "port" => Some((&mut arguments.port, "port = 8081")),
            _ => None,
        };
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse::<Expr>()?)
        } else {
            None
        };
        match (argument, value) {
            (None, _) => diagnostics.error(
                &key,
                format!("unknown argument `{key}`, an extension takes `name` and `port`"),
            ),
            (Some((_, example)), None) => {
                let message = format!("argument `{key}` has no value, write `{example}`");
                return Err(syn::Error::new_spanned(&key, message));
            }
            (Some((Some(_), _)), Some(_)) => {
                diagnostics.error(
                    &key,
                    format!("argument `{key}` is given twice, write it once"),
                );
            }
            (Some((argument, _)), value) => *argument = value,
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}
