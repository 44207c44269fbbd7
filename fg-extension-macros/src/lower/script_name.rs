//! The argument `name`: the complete file name of the start script.

use fg_util::script_name::{self, MAX_LEN, Problem};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Expr;

use super::literal::{string_literal, ungrouped};
use crate::diagnostics::{Diagnostics, with_help};

/// Checks that the name is a script name (D 2705, 2707), as `fg_extension::ExtensionName` does.
pub(super) fn lower(value: &Expr, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    let Some(literal) = string_literal(value) else {
        let message = with_help(
            "`name` must be a string literal",
            "write `name = \"extensionHello.sh\"`",
        );
        diagnostics.error(ungrouped(value), message);
        return None;
    };
    let name = literal.value();
    let too_long = format!("is longer than {MAX_LEN} bytes, the limit for file names");
    let problem = match script_name::check(&name) {
        Ok(()) => return Some(literal.to_token_stream()),
        Err(_) if name.is_empty() => "is empty",
        Err(Problem::Path) => "is a path, not a file name",
        Err(Problem::ControlCharacter) => {
            "contains a control character, which an HTTP header cannot carry"
        }
        Err(Problem::NotAscii) => {
            "contains a non-ASCII character, which an HTTP header cannot carry"
        }
        Err(Problem::Prefix) => "does not start with `extension`",
        Err(Problem::Suffix) => "does not end with `.sh`",
        Err(Problem::TooLong) => &too_long,
        Err(_) => "is not a valid script name",
    };
    diagnostics.error(
        literal,
        with_help(
            format!("name {name:?} {problem}"),
            format!(
                "write the complete file name of the start script: `name = {:?}`",
                suggest(&name)
            ),
        ),
    );
    None
}

/// Derives a script name from what the author wrote: `demo` becomes `extensionDemo.sh`.
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
    // The suggestion is ASCII, so this cannot split a character.
    suggestion.truncate(MAX_LEN - SUFFIX.len());
    suggestion + SUFFIX
}

#[cfg(test)]
mod tests {
    use super::suggest;
    use fg_util::script_name;

    #[test]
    fn suggestion_is_derived_from_what_was_written() {
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
    fn every_suggestion_is_a_valid_script_name() {
        for written in ["", "a/b\n", "e\u{301}te", &"long".repeat(100)] {
            assert_eq!(script_name::check(&suggest(written)), Ok(()), "{written:?}");
        }
    }
}
