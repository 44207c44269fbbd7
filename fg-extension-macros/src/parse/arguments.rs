//! The arguments of `#[extension(…)]` and of `#[telemetry(…)]`.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, token};

use crate::diagnostics::{Diagnostics, did_you_mean, list};

/// Examples for error messages.
pub(crate) const PORT_EXAMPLE: &str = "port = 8081";
pub(crate) const TELEMETRY_PORT_EXAMPLE: &str = "port = 8082";
pub(crate) const TYPES_EXAMPLE: &str = "types(platform, function, extension)";

/// The arguments of `#[extension(…)]`, as written.
#[derive(Default)]
pub(crate) struct ExtensionArguments {
    pub(crate) name: Argument,
    pub(crate) port: Argument,
    pub(crate) timeout: Argument,
    pub(crate) crate_path: Argument,
}

/// The arguments of `#[telemetry(…)]`, as written.
#[derive(Default)]
pub(crate) struct TelemetryArguments {
    pub(crate) port: Argument,
    /// The parentheses and the types in them.
    pub(crate) types: Argument,
}

/// The value of an argument, as written.
#[derive(Default)]
pub(crate) enum Argument {
    #[default]
    Absent,
    /// It is written and cannot be read, which is already reported.
    Unreadable,
    Given(Expr),
}

pub(crate) fn parse_extension(
    tokens: TokenStream,
    diagnostics: &mut Diagnostics,
) -> ExtensionArguments {
    let mut arguments = ExtensionArguments::default();
    let mut keys = [
        Key::named("name", "name = \"extensionHello.sh\"", &mut arguments.name),
        Key::named("port", PORT_EXAMPLE, &mut arguments.port),
        Key::named("timeout", "timeout = \"2s\"", &mut arguments.timeout),
        Key::named(
            "crate",
            "crate = sdk::fg_extension",
            &mut arguments.crate_path,
        ),
    ];
    parse(tokens, "an extension", &mut keys, diagnostics);
    arguments
}

pub(crate) fn parse_telemetry(
    tokens: TokenStream,
    diagnostics: &mut Diagnostics,
) -> TelemetryArguments {
    let mut arguments = TelemetryArguments::default();
    let mut keys = [
        Key::named("port", TELEMETRY_PORT_EXAMPLE, &mut arguments.port),
        Key::list("types", TYPES_EXAMPLE, &mut arguments.types),
    ];
    parse(tokens, "`#[telemetry]`", &mut keys, diagnostics);
    arguments
}

/// An argument that may be written, and where its value goes.
struct Key<'a> {
    name: &'static str,
    syntax: Syntax,
    example: &'static str,
    argument: &'a mut Argument,
    is_written: bool,
}

enum Syntax {
    /// `name = value`
    NameValue,
    /// `name(value, …)`
    List,
}

impl<'a> Key<'a> {
    fn named(name: &'static str, example: &'static str, argument: &'a mut Argument) -> Self {
        Self {
            name,
            syntax: Syntax::NameValue,
            example,
            argument,
            is_written: false,
        }
    }

    fn list(name: &'static str, example: &'static str, argument: &'a mut Argument) -> Self {
        Self {
            syntax: Syntax::List,
            ..Self::named(name, example, argument)
        }
    }

    /// Notes that something was written that may be this argument, so that it is not reported as missing.
    fn mark_unreadable(&mut self) {
        if matches!(self.argument, Argument::Absent) {
            *self.argument = Argument::Unreadable;
        }
    }
}

/// `owner` is the subject of the error messages: who takes the arguments.
fn parse(tokens: TokenStream, owner: &str, keys: &mut [Key<'_>], diagnostics: &mut Diagnostics) {
    let parser = |input: ParseStream<'_>| {
        let mut suggest_names = true;
        while !input.is_empty() {
            if input.peek(Ident::peek_any) {
                let result = parse_argument(input, owner, keys);
                diagnostics.check(result);
            } else if input.peek(Token![,]) {
                diagnostics.push(input.error("there is no argument before this `,`, remove it"));
            } else if std::mem::take(&mut suggest_names) {
                keys.iter_mut().for_each(Key::mark_unreadable);
                let examples: Vec<_> = keys.iter().take(2).map(|key| key.example).collect();
                diagnostics.push(input.error(format!(
                    "{owner} takes its arguments by name, write `{}`",
                    examples.join(", ")
                )));
            }
            // Skip what could not be read, so that the next mistake is reported as well.
            while !(input.is_empty() || input.peek(Token![,]) || is_argument(input, keys)) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    let result = parser.parse2(tokens);
    diagnostics.check(result);
}

/// Whether an argument begins here, even if the comma before it is missing.
fn is_argument(input: ParseStream<'_>, keys: &[Key<'_>]) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok_and(|word| {
        (fork.peek(Token![=]) && !fork.peek(Token![==]))
            || (fork.peek(token::Paren) && keys.iter().any(|key| word == key.name))
    })
}

/// Reads one argument, up to its comma.
fn parse_argument(input: ParseStream<'_>, owner: &str, keys: &mut [Key<'_>]) -> syn::Result<()> {
    let written = input.call(Ident::parse_any)?;
    let error = |message| Err(syn::Error::new_spanned(&written, message));
    let word = written.to_string();
    let Some(key) = keys.iter_mut().find(|key| key.name == word) else {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        let Some(meant) = did_you_mean(&word, &names) else {
            return error(format!(
                "unknown argument `{word}`, {owner} takes {}",
                list(&names)
            ));
        };
        keys.iter_mut()
            .filter(|key| key.name == meant)
            .for_each(Key::mark_unreadable);
        return error(format!(
            "unknown argument `{word}`, did you mean `{meant}`?"
        ));
    };
    if std::mem::replace(&mut key.is_written, true) {
        return error(format!("argument `{word}` is given twice, write it once"));
    }
    key.mark_unreadable();
    if input.is_empty() || input.peek(Token![,]) {
        return error(format!(
            "argument `{word}` has no value, write `{}`",
            key.example
        ));
    }
    let unreadable = |span| {
        let message = format!("argument `{word}` cannot be read, write `{}`", key.example);
        syn::Error::new(span, message)
    };
    let has_value = match key.syntax {
        Syntax::NameValue => input.parse::<Option<Token![=]>>()?.is_some(),
        Syntax::List => input.peek(token::Paren),
    };
    if !has_value {
        return Err(unreadable(written.span()));
    }
    // On a fork, so that an unexpected token in the value is reported once.
    let value = input.fork();
    match value.parse() {
        Ok(expression) => *key.argument = Argument::Given(expression),
        Err(error) => return Err(unreadable(error.span())),
    }
    input.advance_to(&value);
    if input.is_empty() || input.peek(Token![,]) {
        Ok(())
    } else {
        Err(input.error(format!("expected `,` after argument `{word}`")))
    }
}
