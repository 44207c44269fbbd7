use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, token};

use crate::diag::{Diagnostics, did_you_mean, list};

/// What to write, where the author wrote nothing or something else.
pub(crate) const PORT: &str = "port = 8081";
pub(crate) const TELEMETRY_PORT: &str = "port = 8082";
pub(crate) const TYPES: &str = "types(platform, function, extension)";

/// The arguments of `#[extension(…)]`, as written.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Argument,
    pub(crate) port: Argument,
    pub(crate) timeout: Argument,
    pub(crate) krate: Argument,
}

/// The arguments of `#[telemetry(…)]`, as written.
#[derive(Default)]
pub(crate) struct TelemetryArguments {
    pub(crate) port: Argument,
    /// What is in the parentheses, with them.
    pub(crate) types: Argument,
}

/// An argument may be absent, or may be there and not be understood: its mistake is told by then.
#[derive(Default)]
pub(crate) enum Argument {
    #[default]
    Absent,
    Unreadable,
    Given(Expr),
}

pub(crate) fn extension(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Arguments {
    let mut arguments = Arguments::default();
    let mut keys = [
        Key::new("name", "name = \"extensionHello.sh\"", &mut arguments.name),
        Key::new("port", PORT, &mut arguments.port),
        Key::new("timeout", "timeout = \"2s\"", &mut arguments.timeout),
        Key::new("crate", "crate = sdk::fg_extension", &mut arguments.krate),
    ];
    parse(tokens, "an extension", &mut keys, diagnostics);
    arguments
}

pub(crate) fn telemetry(tokens: TokenStream, diagnostics: &mut Diagnostics) -> TelemetryArguments {
    let mut arguments = TelemetryArguments::default();
    let mut keys = [
        Key::new("port", TELEMETRY_PORT, &mut arguments.port),
        Key {
            parenthesised: true,
            ..Key::new("types", TYPES, &mut arguments.types)
        },
    ];
    parse(tokens, "`#[telemetry]`", &mut keys, diagnostics);
    arguments
}

/// An argument that may be written, as `name = value` or `name(value)`, and where it goes.
struct Key<'a> {
    name: &'static str,
    parenthesised: bool,
    example: &'static str,
    argument: &'a mut Argument,
    is_written: bool,
}

impl<'a> Key<'a> {
    fn new(name: &'static str, example: &'static str, argument: &'a mut Argument) -> Self {
        Self {
            name,
            parenthesised: false,
            example,
            argument,
            is_written: false,
        }
    }

    /// Something may be it, so nobody says that it is missing.
    fn may_be_there(&mut self) {
        if matches!(self.argument, Argument::Absent) {
            *self.argument = Argument::Unreadable;
        }
    }
}

fn parse(tokens: TokenStream, whose: &str, keys: &mut [Key<'_>], diagnostics: &mut Diagnostics) {
    let parser = |input: ParseStream<'_>| {
        let mut by_name = true;
        while !input.is_empty() {
            if input.peek(Ident::peek_any) {
                let result = parse_argument(input, whose, keys);
                diagnostics.check(result);
            } else if input.peek(Token![,]) {
                diagnostics.push(input.error("there is no argument before this `,`, remove it"));
            } else if std::mem::take(&mut by_name) {
                keys.iter_mut().for_each(Key::may_be_there);
                let examples: Vec<_> = keys.iter().take(2).map(|key| key.example).collect();
                diagnostics.push(input.error(format!(
                    "{whose} takes its arguments by name, write `{}`",
                    examples.join(", ")
                )));
            }
            // Past what could not be read, so that the next mistake is told as well.
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

/// Whether an argument begins here, the comma before it being forgotten.
fn is_argument(input: ParseStream<'_>, keys: &[Key<'_>]) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok_and(|word| {
        (fork.peek(Token![=]) && !fork.peek(Token![==]))
            || (fork.peek(token::Paren) && keys.iter().any(|key| word == key.name))
    })
}

/// One argument, up to its comma.
fn parse_argument(input: ParseStream<'_>, whose: &str, keys: &mut [Key<'_>]) -> syn::Result<()> {
    let written = input.call(Ident::parse_any)?;
    let error = |message| Err(syn::Error::new_spanned(&written, message));
    let word = written.to_string();
    let Some(key) = keys.iter_mut().find(|key| key.name == word) else {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        let Some(meant) = did_you_mean(&word, &names) else {
            return error(format!(
                "unknown argument `{word}`, {whose} takes {}",
                list(&names)
            ));
        };
        keys.iter_mut()
            .filter(|key| key.name == meant)
            .for_each(Key::may_be_there);
        return error(format!(
            "unknown argument `{word}`, did you mean `{meant}`?"
        ));
    };
    if std::mem::replace(&mut key.is_written, true) {
        return error(format!("argument `{word}` is given twice, write it once"));
    }
    key.may_be_there();
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
    let is_well_begun = if key.parenthesised {
        input.peek(token::Paren)
    } else {
        input.parse::<Option<Token![=]>>()?.is_some()
    };
    if !is_well_begun {
        return Err(unreadable(written.span()));
    }
    // On a fork: what is unexpected in there is told once.
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
