//! The settings that are packaged beside the program, where the runtime looks them up after the environment and
//! `RUNTIME_USERDATA`.

use anyhow::bail;
use fg_util::setting::is_secret;

use crate::env_file::EnvFile;

/// Returns the text to package.
///
/// # Errors
///
/// Returns an error if the file contains a variable that the platform sets.
pub(crate) fn text(file: &EnvFile) -> anyhow::Result<String> {
    let is_set_by_platform =
        |name: &str| name == "EXTENSION_API_ADDR" || name.starts_with("RUNTIME_");
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
    let secrets = names(|name, _| is_secret(name)).map(|names| {
        format!(
            "{path} puts {names} into the ZIP, where everybody who can download it can read it; set secrets in the function's \
             console instead"
        )
    });
    let references = names(|_, value| value.contains("${") || value.contains("$(")).map(|names| {
        format!("{path} has `$` in {names}: values are not expanded, the runtime reads them as they are written")
    });
    secrets.into_iter().chain(references).collect()
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
            ("HOME_URL", "${HOME}/x"),
        ]));
        assert_eq!(
            warnings,
            [
                "prod.env puts API_KEY, DB_PASSWORD into the ZIP, where everybody who can download it can read it; set secrets \
                 in the function's console instead",
                "prod.env has `$` in HOME_URL: values are not expanded, the runtime reads them as they are written",
            ]
        );
    }
}
