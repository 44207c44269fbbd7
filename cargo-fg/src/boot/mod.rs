//! Prepares extensions for booting, from a package, a command, or a ZIP.

mod boot_set;
mod boot_spec;
mod extension_source;

pub(crate) use self::boot_set::BootSet;
pub(crate) use self::boot_spec::BootProgram;
pub(crate) use self::extension_source::ExtensionSource;
