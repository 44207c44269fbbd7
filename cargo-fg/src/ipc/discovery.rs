//! Finds the control sockets of running `cargo fg dev` processes.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::Uid;
use tokio::task::JoinSet;

use super::control_client::ControlClient;

/// A connection to the `dev` that was chosen, and whether to say which one it is.
pub(crate) struct Found {
    pub(crate) client: ControlClient,
    /// Whether the user may expect another one: several are running, or this one is of another workspace.
    pub(crate) is_surprising: bool,
}

impl ControlClient {
    /// Connects to the `dev` with this process ID. If `pid` is `None`, connects to the only `dev` of this user, or to the
    /// only one in the workspace of the current directory.
    ///
    /// # Errors
    ///
    /// Returns an error if no such `dev` runs, or if `pid` is `None` and several run.
    pub(crate) async fn find(pid: Option<u32>) -> anyhow::Result<Found> {
        if let Some(pid) = pid {
            let client = Self::connect_to(pid).await?;
            let is_surprising = false;
            return Ok(Found {
                client,
                is_surprising,
            });
        }
        let (all, unresponsive) = Self::connect_to_all().await?;
        let workspace = workspace_of(&std::env::current_dir().unwrap_or_default());
        let is_several = all.len() > 1;
        let (mut here, mut elsewhere): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|client| client.greeting.workspace == workspace);
        let is_elsewhere = here.is_empty();
        if let (true, Some(error)) = (is_elsewhere, unresponsive) {
            return Err(error);
        }
        let candidates = if is_elsewhere {
            &mut elsewhere
        } else {
            &mut here
        };
        match candidates.len() {
            0 => bail!(
                "no cargo fg dev is running; start one in another terminal, for example with `cargo fg dev -p NAME`"
            ),
            1 => Ok(Found {
                client: candidates.remove(0),
                is_surprising: is_several || is_elsewhere,
            }),
            _ => {
                let all = candidates.iter().map(|it| it.greeting.description());
                let all: Vec<_> = all.collect();
                let place = if is_elsewhere {
                    ", and none of them in this workspace"
                } else {
                    " in this workspace"
                };
                bail!(
                    "several cargo fg dev are running{place}; choose one of these with --dev PID: {}",
                    all.join("; ")
                )
            }
        }
    }

    /// Connects to every running `dev` of this user, and removes the sockets of those that were killed. Also returns an
    /// error about one that does not respond, if there is one.
    async fn connect_to_all() -> anyhow::Result<(Vec<Self>, Option<anyhow::Error>)> {
        let Some(directory) = existing_directory()? else {
            return Ok((Vec::new(), None));
        };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // The last `dev` has just exited, and removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Vec::new(), None));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", directory.display()));
            }
        };
        let mut connections = JoinSet::new();
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            connections.spawn(async move { Self::connect(&path).await });
        }
        let (mut clients, mut unresponsive) = (Vec::new(), None);
        while let Some(connected) = connections.join_next().await {
            match connected? {
                Ok(client) => clients.extend(client),
                Err(error) => unresponsive = Some(error),
            }
        }
        remove_if_empty(&directory);
        clients.sort_by_key(|client| client.greeting.pid);
        Ok((clients, unresponsive))
    }
}

/// Returns the path of the socket of the `dev` with this process ID.
pub(super) fn socket_path(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

/// Returns the workspace of a directory: the closest directory above it with a lockfile, or else with a manifest, or else
/// the directory itself.
///
/// `cargo metadata` is an alternative that takes longer than an invocation.
pub(super) fn workspace_of(directory: &Path) -> PathBuf {
    let with = |name: &str| {
        let mut ancestors = directory.ancestors();
        ancestors.find(|ancestor| ancestor.join(name).is_file())
    };
    let workspace = with("Cargo.lock").or_else(|| with("Cargo.toml"));
    workspace.unwrap_or(directory).to_owned()
}

/// Creates the directory of the sockets if it is missing. Only the user can access it. Another process may remove it at
/// any time.
///
/// # Errors
///
/// Returns an error if the directory cannot be created, belongs to another user, or is accessible to other users.
pub(super) fn create_directory(directory: &Path) -> anyhow::Result<()> {
    let created = fs::DirBuilder::new().mode(0o700).create(directory);
    if let Err(error) = created
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        let shown = directory.display();
        return Err(error).with_context(|| format!("cannot create the directory {shown}"));
    }
    // Another process may have removed it.
    check_directory(directory)?;
    Ok(())
}

/// Returns the directory of the sockets, or `None` if it is missing, so that no `dev` is running.
///
/// # Errors
///
/// Returns an error if the directory belongs to another user, or is accessible to other users.
pub(super) fn existing_directory() -> anyhow::Result<Option<PathBuf>> {
    let directory = directory_path();
    Ok(check_directory(&directory)?.map(|()| directory))
}

/// Checks that only the user can access the directory. Returns `None` if it is missing.
fn check_directory(directory: &Path) -> anyhow::Result<Option<()>> {
    let shown = directory.display();
    let metadata = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    let is_own = metadata.uid() == Uid::effective().as_raw();
    if !metadata.is_dir() || !is_own || metadata.mode() & 0o077 != 0 {
        bail!(
            "cannot use {shown} for sockets: it must be a directory that only you can access; remove it, or set \
             XDG_RUNTIME_DIR"
        );
    }
    Ok(Some(()))
}

/// Removes the directory of the sockets unless it contains one.
pub(super) fn remove_if_empty(directory: &Path) {
    // This fails if the directory is not empty. A `dev` that is about to listen creates it again.
    let _ = fs::remove_dir(directory);
}

/// Returns the path of the directory of the sockets.
pub(super) fn directory_path() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    match runtime {
        Some(directory) => Path::new(&directory).join("cargo-fg"),
        None => std::env::temp_dir().join(format!("cargo-fg-{}", Uid::effective())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{check_directory, create_directory, remove_if_empty, workspace_of};

    #[test]
    fn directory_that_is_removed_at_any_time_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cargo-fg");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                for _ in 0..2000 {
                    create_directory(&directory).unwrap();
                    remove_if_empty(&directory);
                }
            });
            while !other.is_finished() {
                let _ = check_directory(&directory).unwrap();
                create_directory(&directory).unwrap();
                remove_if_empty(&directory);
            }
        });
        assert!(check_directory(&directory).unwrap().is_none());
    }

    #[test]
    fn workspace_is_the_closest_directory_with_a_lockfile() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let (member, deep) = (root.join("a/b"), root.join("a/b/src"));
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(workspace_of(&deep), deep);
        fs::write(member.join("Cargo.toml"), "").unwrap();
        assert_eq!(workspace_of(&deep), member);
        fs::write(root.join("Cargo.lock"), "").unwrap();
        assert_eq!(workspace_of(&deep), root);
        assert_eq!(workspace_of(root), root);
    }
}
