pub(crate) mod dev;
pub(crate) mod new;
