pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod invoke;
pub(crate) mod new;
pub(crate) mod package;

/// How commands tell what they do.
#[derive(Clone, Copy, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

/// `NAME=VALUE`, of the environment.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it takes the form NAME=VALUE".to_owned()),
    }
}
