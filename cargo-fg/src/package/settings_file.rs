//! The settings that are packaged beside the program, where the runtime looks them up after the environment and
//! `RUNTIME_USERDATA`.

use anyhow::bail;
use fg_util::setting::{has_password, is_secret, is_set_by_platform};

use crate::env_file::EnvFile;

/// Returns the text to package.
///
/// # Errors
///
/// Returns an error if the file contains a variable that the platform sets.
pub(crate) fn text(file: &EnvFile) -> anyhow::Result<String> {
    let mut names = file.settings.iter().map(|(name, _)| name);
    if let Some(name) = names.find(|name| is_set_by_platform(name)) {
        let path = file.path.display();
        bail!(
            "cannot package {path}: it contains {name}, which the platform sets; remove the line"
        );
    }
    let lines = file.settings.iter();
    Ok(lines
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect())
}

/// Returns a warning about secrets in the file, and one about values that look like shell syntax.
pub(crate) fn warnings(file: &EnvFile) -> Vec<String> {
    let path = file.path.display();
    let names = |is_wanted: fn(&str, &str) -> bool| {
        let settings = file.settings.iter();
        let wanted = settings.filter(|(name, value)| !value.is_empty() && is_wanted(name, value));
        let names: Vec<_> = wanted.map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let secrets = names(|name, value| is_secret(name) || has_password(value)).map(|names| {
        format!(
            "{path} puts {names} into the ZIP, where everybody who can download it can read it; set secrets in the function's \
             console instead"
        )
    });
    let references = names(|_, value| has_shell_syntax(value)).map(|names| {
        format!(
            "{path} has what looks like a variable or a comment in {names}: the runtime reads values as they are written"
        )
    });
    secrets.into_iter().chain(references).collect()
}

fn has_shell_syntax(value: &str) -> bool {
    let is_reference = |after: &str| {
        after.starts_with(|c: char| c.is_ascii_alphabetic() || ['_', '{', '('].contains(&c))
    };
    value.contains(" #") || value.split('$').skip(1).any(is_reference)
}

#[cfg(test)]
mod tests {
    use super::{EnvFile, text, warnings};

    fn file(settings: &[(&str, &str)]) -> EnvFile {
        let settings = settings.iter();
        EnvFile {
            path: "prod.env".into(),
            settings: settings
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn variables_of_the_platform_are_rejected() {
        assert_eq!(text(&file(&[("A", "1"), ("B", "")])).unwrap(), "A=1\nB=\n");
        for name in [
            "EXTENSION_API_ADDR",
            "RUNTIME_USERDATA",
            "RUNTIME_FUNC_NAME",
        ] {
            let error = text(&file(&[(name, "x")])).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "cannot package prod.env: it contains {name}, which the platform sets; remove the line"
                )
            );
        }
    }

    #[test]
    fn secrets_and_references_are_warnings_without_values() {
        assert!(warnings(&file(&[("FG_LOG", "info"), ("API_KEY", "")])).is_empty());
        let warnings = warnings(&file(&[
            ("API_KEY", "hunter2"),
            ("DB_PASSWORD", "hunter3"),
            ("DB", "mysql://me:hunter4@db"),
            ("HOME_URL", "$HOME/x"),
            ("GREETING", "hello # world"),
            ("PRICE", "5$ or 6#"),
        ]));
        assert_eq!(
            warnings,
            [
                "prod.env puts API_KEY, DB_PASSWORD, DB into the ZIP, where everybody who can download it can read it; set secrets \
                 in the function's console instead",
                "prod.env has what looks like a variable or a comment in HOME_URL, GREETING: the runtime reads values as they are \
                 written",
            ]
        );
    }
}
