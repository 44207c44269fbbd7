//! The script name marker: embeds the script name in the compiled program, where tools can read it without running the
//! program.

use fg_util::script_name::{MARKER_END as END, MARKER_PREFIX as PREFIX, MAX_LEN};

use crate::{Extension, ExtensionName};

const LEN: usize = PREFIX.len() + MAX_LEN + 1;

/// Embeds the marker of `T`, `\x1ffg-extension:name=<script name>\x1f`, in the program as one contiguous string.
pub(crate) fn embed<T: Extension>() {
    std::hint::black_box(const { &marker(T::NAME) });
}

const fn marker(name: ExtensionName) -> [u8; LEN] {
    let name = name.as_str().as_bytes();
    let mut bytes = [0; LEN];
    let mut i = 0;
    while i < PREFIX.len() {
        bytes[i] = PREFIX[i];
        i += 1;
    }
    let mut i = 0;
    while i < name.len() {
        bytes[PREFIX.len() + i] = name[i];
        i += 1;
    }
    bytes[PREFIX.len() + name.len()] = END;
    bytes
}
