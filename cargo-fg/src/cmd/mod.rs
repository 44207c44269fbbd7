pub(crate) mod dev;
pub(crate) mod new;
pub(crate) mod package;
