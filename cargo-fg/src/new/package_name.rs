//! Validates the name of a new package beyond cargo's rules, and derives the script name from it.

use anyhow::bail;

/// The length limit of crates.io. It also keeps the script name within the 255 bytes of a file name.
const MAX_LEN: usize = 64;

/// Returns the script name for a package, such as `extensionNightWatch.sh` for `night-watch` (D 2705, 2707: it starts
/// with `extension` and ends with `.sh`).
///
/// # Errors
///
/// Returns an error if the name is too long, or has a character that a script name should not have.
pub(crate) fn script_name_of(package: &str) -> anyhow::Result<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !package.starts_with(|c: char| c.is_ascii_alphabetic()) || !package.chars().all(is_name) {
        bail!(
            "`{}` is not a valid name for an extension: it must start with an ASCII letter, and contain only ASCII \
             letters, digits, `-` and `_`, such as night-watch",
            package.escape_debug()
        );
    }
    if package.len() > MAX_LEN {
        bail!("the name `{package}` is too long; use at most {MAX_LEN} characters");
    }
    let words = package.split(['-', '_']).map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    Ok(format!("extension{}.sh", words.collect::<String>()))
}

/// Returns whether the two packages have the same crate name.
pub(crate) fn is_same_crate(package: &str, other: &str) -> bool {
    package.replace('-', "_") == other.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{MAX_LEN, script_name_of};

    #[test]
    fn script_names_are_in_camel_case() {
        for (package, script) in [
            ("night-watch", "extensionNightWatch.sh"),
            ("night_watch", "extensionNightWatch.sh"),
            ("nightWatch2", "extensionNightWatch2.sh"),
            ("a--b-", "extensionAB.sh"),
            ("otlp", "extensionOtlp.sh"),
        ] {
            assert_eq!(script_name_of(package).unwrap(), script);
        }
    }

    #[test]
    fn names_without_a_valid_script_name_are_rejected() {
        for package in [
            "",
            "night watch",
            "w\u{e4}chter",
            "a/b",
            "a.b",
            "a\nb",
            "9lives",
            "_",
            "-x",
        ] {
            let error = script_name_of(package).unwrap_err().to_string();
            assert!(
                error.contains("is not a valid name for an extension"),
                "{error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
        let long = "x".repeat(MAX_LEN);
        assert_eq!(script_name_of(&long).unwrap().len(), MAX_LEN + 12);
        assert!(script_name_of(&(long + "x")).is_err());
    }
}
