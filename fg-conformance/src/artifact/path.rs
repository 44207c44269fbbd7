//! Names in a ZIP as paths: one normalization for all questions about them.

/// Returns the path that the name is unpacked to, relative to the top level: `./a//b/../c` is `a/c`. `None` if it is absolute
/// or leads outside.
pub(crate) fn normalize(name: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!name.starts_with('/')).then(|| parts.join("/"))
}

/// Returns whether the name is absolute or leads outside, on Linux or on Windows.
pub(crate) fn escapes(name: &str) -> bool {
    normalize(name).is_none() || normalize(&name.replace('\\', "/")).is_none()
}

/// Returns the folder that contains the path, which is empty at the top level.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Returns the last component of the path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{escapes, normalize};

    #[test]
    fn names_are_normalized() {
        for (name, path) in [
            ("extension/demo", Some("extension/demo")),
            ("./extension/demo", Some("extension/demo")),
            (".//extension//./demo/", Some("extension/demo")),
            ("bin/../extension/demo", Some("extension/demo")),
            ("a..b/...", Some("a..b/...")),
            ("", Some("")),
            ("/tmp/demo", None),
            ("../demo", None),
            ("extension/../../demo", None),
        ] {
            assert_eq!(normalize(name).as_deref(), path, "{name}");
            assert_eq!(escapes(name), path.is_none(), "{name}");
        }
    }

    #[test]
    fn windows_paths_that_lead_outside_are_found() {
        assert!(escapes("..\\demo") && escapes("\\demo"));
        assert!(!escapes("extension\\demo"));
    }
}
