//! [`CodeRoot`]: the link that `RUNTIME_CODE_ROOT` names.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A link to the directory of the function's code; for a synthetic function, to an empty directory. Extensions that have
/// started before the function have the variable already.
pub(crate) struct CodeRoot {
    link: PathBuf,
}

impl CodeRoot {
    /// Creates the link, and the empty directory, in the directory of the platform.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let (link, empty) = (directory.join("code"), directory.join("no-code"));
        fs::create_dir(&empty)?;
        symlink(empty, &link)?;
        Ok(Self { link })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.link
    }

    /// Makes it a link to this directory. An extension may read it at any moment, so it always exists.
    pub(crate) fn set(&self, directory: &Path) -> io::Result<()> {
        if fs::read_link(&self.link)? == directory {
            return Ok(());
        }
        let new = self.link.with_extension("new");
        symlink(directory, &new)?;
        fs::rename(&new, &self.link).inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::CodeRoot;

    #[test]
    fn link_always_exists() {
        let directory = tempfile::tempdir().unwrap();
        let root = CodeRoot::create(directory.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        let others = ["a", "b"].map(|name| directory.path().join(name));
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    fs::read_link(root.path())?;
                }
                std::io::Result::Ok(())
            });
            for _ in 0..1000 {
                for other in &others {
                    root.set(other).unwrap();
                    assert_eq!(fs::read_link(root.path()).unwrap(), *other);
                }
            }
            is_done.store(true, Ordering::Relaxed);
            reader.join().unwrap().unwrap();
        });
        // The link stays if nothing changes.
        let inode = || fs::symlink_metadata(root.path()).unwrap().ino();
        let before = inode();
        root.set(&others[1]).unwrap();
        assert_eq!(inode(), before);
    }
}
