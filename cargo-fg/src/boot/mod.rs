//! What is booted: where an extension comes from, and how the emulator starts it.

mod boot_set;
mod boot_spec;
mod extension_source;

pub(crate) use self::boot_set::BootSet;
pub(crate) use self::boot_spec::BootProgram;
pub(crate) use self::extension_source::ExtensionSource;
