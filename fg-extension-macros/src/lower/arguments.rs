//! The arguments of `#[extension]`, and those of `#[telemetry]`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Expr, Lit, LitInt, LitStr, Type, UnOp};

use crate::attr::{self, Argument, PORT, TELEMETRY_PORT, TYPES};
use crate::diag::{Diagnostics, did_you_mean, list};

/// The arguments of `#[extension]`; instead of those with a mistake, some without.
pub(super) struct Checked {
    /// Without it nothing can be generated.
    pub(super) krate: Option<TokenStream>,
    pub(super) name: TokenStream,
    pub(super) port: TokenStream,
    pub(super) timeout: Option<Duration>,
}

/// `of_the_item` is the name of the function or of the type: a name to suggest.
pub(super) fn lower(
    arguments: &attr::Arguments,
    of_the_item: &str,
    diagnostics: &mut Diagnostics,
) -> Checked {
    let attr::Arguments {
        name,
        port,
        timeout,
        krate,
    } = arguments;
    let suggested = match of_the_item {
        "main" => suggestion(""),
        name => suggestion(name),
    };
    let name = match name {
        Argument::Given(name) => lower_name(name, diagnostics),
        Argument::Unreadable => None,
        // Without anything, one example says more than two lines about what is missing.
        Argument::Absent if matches!(port, Argument::Absent) => {
            let message = format!(
                "an extension has a name and a port, write `#[extension(name = {suggested:?}, {PORT})]`"
            );
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
        Argument::Absent => {
            let message = missing("name", &format!("name = {suggested:?}"));
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
    };
    let port = match port {
        Argument::Given(port) => lower_port(port, "events", PORT, diagnostics),
        Argument::Absent if !matches!(arguments.name, Argument::Absent) => {
            let message = missing("port", PORT);
            diagnostics.push(syn::Error::new(Span::call_site(), message));
            None
        }
        _ => None,
    };
    let timeout = match timeout {
        Argument::Given(timeout) => lower_timeout(timeout, diagnostics),
        Argument::Absent | Argument::Unreadable => None,
    };
    let krate = match krate {
        Argument::Given(krate) => lower_crate(krate, diagnostics),
        Argument::Absent => Some(quote!(::fg_extension)),
        Argument::Unreadable => None,
    };
    Checked {
        krate,
        name: name.unwrap_or_else(|| quote!("extensionHello.sh")),
        port: port.unwrap_or_else(|| quote!(8081)),
        timeout,
    }
}

/// D 2705, 2707: the complete file name of the start script. `fg_extension::ExtensionName` has the same rules.
fn lower_name(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    let Some(literal) = text(value) else {
        diagnostics.error(
            ungrouped(value),
            "name must be a string literal, as in `name = \"extensionHello.sh\"`",
        );
        return None;
    };
    let name = literal.value();
    let problem = if name.is_empty() {
        "is empty"
    } else if name.contains('/') {
        "is a path, and must be a file name"
    } else if name.chars().any(char::is_control) {
        "has a control character, and is sent in a header"
    } else if !name.is_ascii() {
        "is not ASCII, and is sent in a header"
    } else if !name.starts_with("extension") {
        "does not begin with `extension`"
    } else if !name.ends_with(".sh") {
        "does not end in `.sh`"
    } else if name.len() > 255 {
        "is longer than 255 bytes, the most a file name has"
    } else {
        return Some(literal.to_token_stream());
    };
    diagnostics.error(
        literal,
        format!(
            "name {name:?} {problem}: it is the complete file name of the start script, write `{:?}`",
            suggestion(&name)
        ),
    );
    None
}

/// A script name made of what was written: `demo` becomes `extensionDemo.sh`.
fn suggestion(name: &str) -> String {
    let file = name
        .trim()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let (stem, _) = file.split_once('.').unwrap_or((file, ""));
    let stem = stem
        .strip_prefix("extension")
        .or(stem.strip_prefix("Extension"))
        .unwrap_or(stem);
    let mut suggestion = String::from("extension");
    for word in stem.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        suggestion.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        suggestion.extend(letters);
    }
    if suggestion == "extension" {
        suggestion.push_str("Hello");
    }
    // A file name has 255 bytes at most, and this is ASCII.
    suggestion.truncate(100);
    suggestion + ".sh"
}

/// `Forwarder` of `crate::sinks::Forwarder<Http>`.
pub(super) fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => return type_name(&group.elem),
        Type::Paren(paren) => return type_name(&paren.elem),
        _ => None,
    }
    .map_or_else(
        || "the type".to_owned(),
        |segment| segment.ident.unraw().to_string(),
    )
}

/// D 2707, 2710: 8081 to 8090. What is no literal is a constant expression, which `fg_extension::Port::new`
/// checks.
pub(super) fn lower_port(
    value: &Expr,
    what: &str,
    example: &str,
    diagnostics: &mut Diagnostics,
) -> Option<TokenStream> {
    let range = format!("FunctionGraph posts {what} to ports 8081 to 8090 only");
    let problem = match literal(value) {
        Literal::None => return Some(ungrouped(value).to_token_stream()),
        Literal::Int(digits) => match digits.base10_digits().parse() {
            Ok(8081..=8090) if matches!(digits.suffix(), "" | "u16") => {
                return Some(ungrouped(value).to_token_stream());
            }
            Ok(port @ 8081..=8090) => format!("port {digits} must be a u16, write `{port}`"),
            Ok(8011) => format!(
                "port {digits} is out of range: {range}\n\n\
                 = note: the 8011 in the example of the platform's documentation is a slip of that page"
            ),
            _ => format!("port {digits} is out of range: {range}"),
        },
        Literal::Negative => format!("port is negative: {range}"),
        Literal::Other => format!("port must be a whole number, as in `{example}`"),
    };
    diagnostics.error(ungrouped(value), problem);
    None
}

/// A text, since it has a unit, as the durations of the settings have.
fn lower_timeout(value: &Expr, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let problem = match text(value) {
        None => "timeout must be a text with a unit".to_owned(),
        Some(literal) => {
            let text = literal.value();
            match parse_duration(&text) {
                Some(duration) => return Some(duration),
                None => format!("timeout {text:?} is not a duration from 1ms to 1h"),
            }
        }
    };
    diagnostics.error(
        ungrouped(value),
        format!("{problem}, write it as `\"500ms\"`, `\"2s\"` or `\"1m\"`"),
    );
    None
}

/// `500ms`, `2s`, `1.5s`, `1m` or `1h`; from 1 ms to an hour.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?;
    (Duration::from_millis(1)..=Duration::from_secs(3600))
        .contains(&duration)
        .then_some(duration)
}

fn lower_crate(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
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

/// The arguments of `#[telemetry]`: the port, and the variants of `fg_extension::TelemetryType`.
pub(super) fn lower_telemetry(
    attribute: &syn::Attribute,
    arguments: &attr::TelemetryArguments,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, Vec<Ident>)> {
    if matches!(
        (&arguments.port, &arguments.types),
        (Argument::Absent, Argument::Absent)
    ) {
        diagnostics.error(
            attribute,
            format!("`#[telemetry]` has a port and types, write `#[telemetry({TELEMETRY_PORT}, {TYPES})]`"),
        );
        return None;
    }
    let port = match &arguments.port {
        Argument::Given(port) => lower_port(port, "telemetry", TELEMETRY_PORT, diagnostics),
        Argument::Unreadable => None,
        Argument::Absent => {
            diagnostics.error(attribute, missing("port", TELEMETRY_PORT));
            None
        }
    };
    let types = match &arguments.types {
        Argument::Given(types) => lower_types(types, diagnostics),
        Argument::Unreadable => None,
        Argument::Absent => {
            diagnostics.error(attribute, missing("types", TYPES));
            None
        }
    };
    port.zip(types)
}

/// D 2710: `platform`, `function` and `extension`, each at most once, and one at least.
fn lower_types(types: &Expr, diagnostics: &mut Diagnostics) -> Option<Vec<Ident>> {
    const KNOWN: [&str; 3] = ["platform", "function", "extension"];
    let elements: Vec<&Expr> = match types {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        Expr::Paren(paren) => vec![&paren.expr],
        other => vec![other],
    };
    if elements.is_empty() {
        diagnostics.error(
            types,
            format!(
                "types are empty, name what is subscribed to: {}",
                list(&KNOWN)
            ),
        );
        return None;
    }
    let mut variants = Vec::new();
    let mut seen = Vec::new();
    for element in elements {
        let word = element.to_token_stream().to_string();
        if seen.contains(&word) {
            let message = format!("telemetry type `{word}` is given twice, write it once");
            diagnostics.error(element, message);
        } else if KNOWN.contains(&word.as_str()) {
            let (first, rest) = word.split_at(1);
            let variant = first.to_ascii_uppercase() + rest;
            variants.push(Ident::new(&variant, Span::call_site()));
        } else {
            let message = match did_you_mean(word.trim_matches('"'), &KNOWN) {
                Some(meant) => {
                    format!("unknown telemetry type `{word}`, did you mean `{meant}`?")
                }
                None => format!(
                    "unknown telemetry type `{word}`, there are {}",
                    list(&KNOWN)
                ),
            };
            diagnostics.error(element, message);
        }
        seen.push(word);
    }
    Some(variants)
}

fn missing(argument: &str, example: &str) -> String {
    format!("argument `{argument}` is missing, write `{example}`")
}

enum Literal<'a> {
    Int(&'a LitInt),
    Negative,
    Other,
    None,
}

fn literal(value: &Expr) -> Literal<'_> {
    match ungrouped(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(digits) => Literal::Int(digits),
            _ => Literal::Other,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match literal(&unary.expr) {
            Literal::Int(_) => Literal::Negative,
            other => other,
        },
        _ => Literal::None,
    }
}

fn text(value: &Expr) -> Option<&LitStr> {
    match ungrouped(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if text.suffix().is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Without parentheses, and without the invisible ones that a `macro_rules!` leaves.
fn ungrouped(mut value: &Expr) -> &Expr {
    loop {
        value = match value {
            Expr::Group(group) => &group.expr,
            Expr::Paren(paren) => &paren.expr,
            _ => return value,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, suggestion};
    use std::time::Duration;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("1ms", 1),
            ("1.5s", 1_500),
            ("2 s", 2_000),
            ("1m", 60_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)));
        }
        for text in [
            "", "2", "0s", "0.5ms", "61m", "2h", "-1s", "1e3s", "s", ".s", "1min", "1d", "1.2.3s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn suggestion_is_made_of_what_was_written() {
        for (written, name) in [
            ("", "extensionHello.sh"),
            ("demo", "extensionDemo.sh"),
            ("demo.sh", "extensionDemo.sh"),
            ("extensionDemo.SH", "extensionDemo.sh"),
            ("extensionDemo.bat", "extensionDemo.sh"),
            ("night_watch", "extensionNightWatch.sh"),
            ("extension/night-watch.sh", "extensionNightWatch.sh"),
            ("Extension Demo", "extensionDemo.sh"),
            ("extensionDemo", "extensionDemo.sh"),
            ("\u{65e5}\u{672c}", "extensionHello.sh"),
            (".sh", "extensionHello.sh"),
        ] {
            assert_eq!(suggestion(written), name, "{written:?}");
        }
    }
}
