//! Recognizes a second `#[extension]` in a program.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const MESSAGE: &str = "a program can contain only one `#[extension]`; move this one to a program of its own, such as `src/bin/other.rs`";

/// What earlier expansions of `#[extension]` have added to the program.
#[derive(Clone, Copy, Default)]
pub(crate) struct Earlier {
    pub(crate) has_main: bool,
    /// False if the attribute was only on items that cannot have it. That is already reported.
    pub(crate) has_extension: bool,
}

static HAS_MAIN: AtomicBool = AtomicBool::new(false);
static HAS_EXTENSION: AtomicBool = AtomicBool::new(false);

/// Returns what the program certainly contains already, and remembers this `#[extension]`. `is_extension` says whether its
/// item can have it.
///
/// A process of rustc compiles one crate, and expands each attribute once. rust-analyzer expands the attributes of many
/// crates in one process, and again after each change, so only rustc is trusted. Elsewhere, the generated items of the same
/// name are the error.
///
/// Call it once for each `#[extension]`. rustc evaluates `#[cfg]` before it expands the attribute, even if `#[cfg]` is below.
pub(crate) fn earlier(is_extension: bool) -> Earlier {
    if !std::env::current_exe().is_ok_and(|program| is_rustc(&program)) {
        return Earlier::default();
    }
    Earlier {
        has_main: HAS_MAIN.swap(true, Ordering::Relaxed),
        has_extension: is_extension && HAS_EXTENSION.swap(true, Ordering::Relaxed),
    }
}

/// Recognizes rustc, also with a version in its name, and Clippy.
fn is_rustc(program: &Path) -> bool {
    let name = program.file_stem().and_then(OsStr::to_str);
    name.is_some_and(|name| {
        name == "rustc" || name.starts_with("rustc-") || name == "clippy-driver"
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{earlier, is_rustc};

    #[test]
    fn only_rustc_is_trusted_to_expand_each_attribute_once() {
        for (program, expected) in [
            ("/toolchain/bin/rustc", true),
            ("/usr/bin/rustc-1.95", true),
            ("/toolchain/bin/clippy-driver", true),
            ("/toolchain/libexec/rust-analyzer-proc-macro-srv", false),
            ("/usr/bin/rust-analyzer", false),
            ("/toolchain/bin/rustdoc", false),
        ] {
            assert_eq!(is_rustc(Path::new(program)), expected, "{program}");
        }
    }

    #[test]
    fn other_programs_may_expand_several_attributes() {
        assert!(!earlier(true).has_main);
        assert!(!earlier(true).has_extension);
    }
}
