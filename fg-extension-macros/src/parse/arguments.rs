//! Parses the arguments of `#[extension(…)]` and `#[telemetry(…)]`.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, token};

use crate::diagnostics::{Diagnostics, did_you_mean, list, with_help};

// Examples for error messages.
pub(crate) const PORT_EXAMPLE: &str = "port = 8081";
pub(crate) const TELEMETRY_PORT_EXAMPLE: &str = "port = 8082";
pub(crate) const TYPES_EXAMPLE: &str = "types(platform, function, extension)";

/// The arguments of `#[extension(…)]`, before validation.
#[derive(Default)]
pub(crate) struct ExtensionArguments {
    pub(crate) name: Argument,
    pub(crate) port: Argument,
    pub(crate) timeout: Argument,
    pub(crate) crate_path: Argument,
}

/// The arguments of `#[telemetry(…)]`, before validation.
#[derive(Default)]
pub(crate) struct TelemetryArguments {
    pub(crate) port: Argument,
    /// The parenthesized list of types.
    pub(crate) types: Argument,
}

/// The value of an argument, before validation.
#[derive(Default)]
pub(crate) enum Argument {
    #[default]
    Absent,
    /// The argument is present but malformed, and the error is already reported.
    Malformed,
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
    parse(tokens, "#[extension]", &mut keys, diagnostics);
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
    parse(tokens, "#[telemetry]", &mut keys, diagnostics);
    arguments
}

/// An argument that the attribute accepts, and the place to store its value.
struct Key<'a> {
    name: &'static str,
    syntax: Syntax,
    example: &'static str,
    argument: &'a mut Argument,
    is_present: bool,
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
            is_present: false,
        }
    }

    fn list(name: &'static str, example: &'static str, argument: &'a mut Argument) -> Self {
        Self {
            syntax: Syntax::List,
            ..Self::named(name, example, argument)
        }
    }

    /// Records that the author tried to write this argument, so that it is not also reported as missing.
    fn mark_malformed(&mut self) {
        if matches!(self.argument, Argument::Absent) {
            *self.argument = Argument::Malformed;
        }
    }
}

/// Parses the arguments of `attribute`, which error messages mention.
fn parse(
    tokens: TokenStream,
    attribute: &str,
    keys: &mut [Key<'_>],
    diagnostics: &mut Diagnostics,
) {
    let parser = |input: ParseStream<'_>| {
        let mut suggest_names = true;
        while !input.is_empty() {
            if input.peek(Ident::peek_any) {
                let result = parse_argument(input, attribute, keys);
                diagnostics.check(result);
            } else if input.peek(Token![,]) {
                let message =
                    with_help("expected an argument, found `,`", "remove the extra comma");
                diagnostics.push(input.error(message));
            } else if std::mem::take(&mut suggest_names) {
                keys.iter_mut().for_each(Key::mark_malformed);
                let examples: Vec<_> = keys.iter().take(2).map(|key| key.example).collect();
                let help = format!("write `{}`", examples.join(", "));
                let message = with_help("expected a named argument", help);
                diagnostics.push(input.error(message));
            }
            // Skip to the next argument, so that its mistakes are reported too.
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

/// Returns whether an argument starts here, even if the comma before it is missing.
fn is_argument(input: ParseStream<'_>, keys: &[Key<'_>]) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok_and(|word| {
        (fork.peek(Token![=]) && !fork.peek(Token![==]))
            || (fork.peek(token::Paren) && keys.iter().any(|key| word == key.name))
    })
}

/// Parses one argument, up to the comma that follows it.
fn parse_argument(
    input: ParseStream<'_>,
    attribute: &str,
    keys: &mut [Key<'_>],
) -> syn::Result<()> {
    let written = input.call(Ident::parse_any)?;
    let error = |message| Err(syn::Error::new_spanned(&written, message));
    let word = written.to_string();
    let Some(key) = keys.iter_mut().find(|key| key.name == word) else {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        let Some(meant) = did_you_mean(&word, &names) else {
            return error(with_help(
                format!("unknown argument `{word}`"),
                format!("`{attribute}` takes {}", list(&names)),
            ));
        };
        keys.iter_mut()
            .filter(|key| key.name == meant)
            .for_each(Key::mark_malformed);
        return error(with_help(
            format!("unknown argument `{word}`"),
            format!("did you mean `{meant}`?"),
        ));
    };
    if std::mem::replace(&mut key.is_present, true) {
        return error(with_help(
            format!("duplicate argument `{word}`"),
            "remove one of them",
        ));
    }
    key.mark_malformed();
    if input.is_empty() || input.peek(Token![,]) {
        return error(with_help(
            format!("argument `{word}` has no value"),
            format!("write `{}`", key.example),
        ));
    }
    let malformed = |span| {
        let message = with_help(
            format!("malformed argument `{word}`"),
            format!("write `{}`", key.example),
        );
        syn::Error::new(span, message)
    };
    let has_value = match key.syntax {
        Syntax::NameValue => input.parse::<Option<Token![=]>>()?.is_some(),
        Syntax::List => input.peek(token::Paren),
    };
    if !has_value {
        return Err(malformed(written.span()));
    }
    // Parse a fork, so that an unexpected token in the value is reported only once.
    let value = input.fork();
    match value.parse() {
        Ok(expression) => *key.argument = Argument::Given(expression),
        Err(error) => return Err(malformed(error.span())),
    }
    input.advance_to(&value);
    if input.is_empty() || input.peek(Token![,]) {
        Ok(())
    } else {
        Err(input.error(format!("expected `,` after argument `{word}`")))
    }
}
