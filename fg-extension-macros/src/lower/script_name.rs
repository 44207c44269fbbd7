//! The argument `name`: the complete file name of the start script.

use fg_util::script_name::{self, MAX_LEN, Problem};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Expr;

use super::literal::{string_literal, ungrouped};
use crate::diagnostics::Diagnostics;

/// D 2705, 2707: `fg_extension::ExtensionName` applies the same rule.
pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    let Some(literal) = string_literal(value) else {
        diagnostics.error(
            ungrouped(value),
            "name must be a string literal, as in `name = \"extensionHello.sh\"`",
        );
        return None;
    };
    let name = literal.value();
    let too_long = format!("is longer than {MAX_LEN} bytes, the most a file name has");
    let problem = match script_name::check(&name) {
        Ok(()) => return Some(literal.to_token_stream()),
        Err(_) if name.is_empty() => "is empty",
        Err(Problem::Path) => "is a path, and must be a file name",
        Err(Problem::ControlCharacter) => "has a control character, and is sent in a header",
        Err(Problem::NotAscii) => "is not ASCII, and is sent in a header",
        Err(Problem::Prefix) => "does not begin with `extension`",
        Err(Problem::Suffix) => "does not end in `.sh`",
        Err(Problem::TooLong) => &too_long,
        Err(_) => "cannot be registered",
    };
    diagnostics.error(
        literal,
        format!(
            "name {name:?} {problem}: it is the complete file name of the start script, write `{:?}`",
            suggest(&name)
        ),
    );
    None
}

/// Makes a script name of what was written: `demo` becomes `extensionDemo.sh`.
pub(super) fn suggest(written: &str) -> String {
    const PREFIX: &str = "extension";
    const SUFFIX: &str = ".sh";
    let file = written
        .trim()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let (stem, _) = file.split_once('.').unwrap_or((file, ""));
    let stem = stem
        .strip_prefix(PREFIX)
        .or(stem.strip_prefix("Extension"))
        .unwrap_or(stem);
    let mut suggestion = String::from(PREFIX);
    for word in stem.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        suggestion.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        suggestion.extend(letters);
    }
    if suggestion == PREFIX {
        suggestion.push_str("Hello");
    }
    // This is ASCII, so a byte is a character.
    suggestion.truncate(MAX_LEN - SUFFIX.len());
    suggestion + SUFFIX
}

#[cfg(test)]
mod tests {
    use super::suggest;
    use fg_util::script_name;

    #[test]
    fn suggestion_is_derived_from_the_input() {
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
            assert_eq!(suggest(written), name, "{written:?}");
        }
    }

    #[test]
    fn suggestion_is_a_script_name() {
        for written in ["", "a/b\n", "e\u{301}te", &"long".repeat(100)] {
            assert_eq!(script_name::check(&suggest(written)), Ok(()), "{written:?}");
        }
    }
}
