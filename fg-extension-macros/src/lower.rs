//! Every rule about what an author may write.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, FnArg, Lit, LitInt, LitStr, ReturnType, Safety, Signature, Type, UnOp};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::item::Function;
use crate::model::Model;

pub(crate) fn lower(
    arguments: Arguments,
    function: Option<&Function>,
    diagnostics: &mut Diagnostics,
) -> Option<Model> {
    let name = match arguments.name {
        Some(name) => lower_name(&name, diagnostics),
        None => missing(
            "name",
            "name = \"extensionHello.sh\"",
            arguments.complete,
            diagnostics,
        ),
    };
    let port = match arguments.port {
        Some(port) => lower_port(port, diagnostics),
        None => missing("port", "port = 8081", arguments.complete, diagnostics),
    };
    let function = function?;
    let parameter = lower_signature(&function.signature, diagnostics);
    Some(Model {
        name: name?,
        port: port?,
        function_name: function.signature.ident.clone(),
        parameter_type: parameter?.to_token_stream(),
        return_type: match &function.signature.output {
            ReturnType::Default => function.signature.ident.to_token_stream(),
            ReturnType::Type(_, output) => output.to_token_stream(),
        },
        function: function.to_token_stream(),
    })
}

fn missing<T>(
    argument: &str,
    example: &str,
    complete: bool,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    if complete {
        let message = format!("argument `{argument}` is missing, write `{example}`");
        diagnostics.push(syn::Error::new(Span::call_site(), message));
    }
    None
}

/// D 2705, 2707: the complete file name of the start script. `fg_extension::ExtensionName` has the same rules.
fn lower_name(value: &Expr, diagnostics: &mut Diagnostics) -> Option<LitStr> {
    let Expr::Lit(syn::ExprLit {
        lit: Lit::Str(literal),
        ..
    }) = ungrouped(value)
    else {
        diagnostics.error(
            value,
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
        return Some(literal.clone());
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
    let stem = file.strip_suffix(".sh").unwrap_or(file);
    let stem = stem
        .strip_prefix("extension")
        .or(stem.strip_prefix("Extension"))
        .unwrap_or(stem);
    let mut suggestion = String::from("extension");
    for word in stem.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars().take(40);
        suggestion.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        suggestion.extend(letters);
    }
    if suggestion == "extension" {
        suggestion.push_str("Hello");
    }
    suggestion + ".sh"
}

/// D 2707: 8081 to 8090. What is no literal is a constant expression, which `fg_extension::Port::new` checks.
fn lower_port(value: Expr, diagnostics: &mut Diagnostics) -> Option<Expr> {
    const RANGE: &str = "FunctionGraph posts events to ports 8081 to 8090 only";
    let problem = match literal(&value) {
        Literal::None => return Some(value),
        Literal::Int(digits) if matches!(digits.suffix(), "" | "u16") => {
            match digits.base10_parse::<u16>() {
                Ok(8081..=8090) => return Some(value),
                _ => format!("port {digits} is out of range: {RANGE}"),
            }
        }
        Literal::Int(digits) => {
            format!(
                "port {digits} must be a u16, write `{}`",
                digits.base10_digits()
            )
        }
        Literal::Negative => format!("port is negative: {RANGE}"),
        Literal::Other => "port must be a whole number, as in `port = 8081`".to_owned(),
    };
    diagnostics.error(&value, problem);
    None
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

/// The type of the one parameter. That it is `Invocation`, and what may be returned, is for traits to say.
fn lower_signature<'a>(
    signature: &'a Signature,
    diagnostics: &mut Diagnostics,
) -> Option<&'a Type> {
    let name = &signature.ident;
    if signature.asyncness.is_none() {
        diagnostics.error(
            signature.fn_token,
            format!("`{name}` must be async, write `async fn {name}`"),
        );
    }
    if let Some(constness) = &signature.constness {
        diagnostics.error(
            constness,
            format!("`{name}` cannot be const, remove `const`"),
        );
    }
    if !matches!(signature.safety, Safety::Default) {
        diagnostics.error(
            &signature.safety,
            format!("`{name}` cannot be unsafe, remove `unsafe`"),
        );
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(abi, format!("`{name}` cannot have an ABI, remove `extern`"));
    }
    if !signature.generics.params.is_empty() {
        diagnostics.error(
            &signature.generics,
            format!("`{name}` cannot be generic: the platform invokes it"),
        );
    } else if let Some(clause) = &signature.generics.where_clause {
        diagnostics.error(
            clause,
            format!("`{name}` cannot have a where clause, remove it"),
        );
    }
    if let Some(variadic) = &signature.variadic {
        diagnostics.error(
            variadic,
            format!("`{name}` cannot be variadic, remove `...`"),
        );
    }
    let mut parameters = signature.inputs.iter();
    match (parameters.next(), parameters.next()) {
        (Some(FnArg::Typed(parameter)), None) => return Some(&parameter.ty),
        (Some(FnArg::Receiver(receiver)), _) => {
            diagnostics.error(
                receiver,
                format!("`{name}` cannot take `self`, write `invocation: Invocation`"),
            );
        }
        (Some(_), Some(second)) => {
            diagnostics.error(
                second,
                format!("`{name}` takes one parameter, `invocation: Invocation`"),
            );
        }
        (None, _) => {
            let message =
                format!("`{name}` takes one parameter, write `{name}(invocation: Invocation)`");
            diagnostics.push(syn::Error::new(signature.paren_token.span.join(), message));
        }
    }
    None
}
