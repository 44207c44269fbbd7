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
