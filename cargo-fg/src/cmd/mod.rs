pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod invoke;

/// How commands tell what they do.
#[derive(Clone, Copy, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}
