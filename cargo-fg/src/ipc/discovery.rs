//! Where the sockets of running `cargo fg dev` are, and how `cargo fg invoke` finds the one it wants.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::Uid;

use super::control_client::ControlClient;

impl ControlClient {
    /// Connects to the `dev` with this pid; without one, to the only `dev` of this user.
    pub(crate) async fn find(pid: Option<u32>) -> anyhow::Result<Self> {
        if let Some(pid) = pid {
            return Self::connect_to(pid).await;
        }
        let mut clients = Self::connect_to_all().await?;
        match clients.len() {
            0 => bail!(
                "no cargo fg dev is running: start one in another terminal, as with `cargo fg dev -p NAME`"
            ),
            1 => Ok(clients.remove(0)),
            _ => {
                let all = clients.iter().map(|client| {
                    let greeting = &client.greeting;
                    let (scripts, folder) =
                        (greeting.scripts.join(", "), greeting.folder.display());
                    format!("{} ({scripts} in {folder})", greeting.pid)
                });
                let all: Vec<_> = all.collect();
                bail!(
                    "several cargo fg dev are running, choose one with --dev PID: {}",
                    all.join("; ")
                )
            }
        }
    }

    /// Connects to every running `dev` of this user, and removes the sockets of those that were killed.
    async fn connect_to_all() -> anyhow::Result<Vec<Self>> {
        let folder = folder()?;
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut clients = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if let Some(client) = Self::connect(&path).await? {
                clients.push(client);
            }
        }
        clients.sort_by_key(|client| client.greeting.pid);
        Ok(clients)
    }
}

/// Returns the path of the socket of the `dev` with this pid.
pub(super) fn socket(folder: &Path, pid: u32) -> PathBuf {
    folder.join(format!("{pid}.sock"))
}

/// Returns the folder of the sockets, where nobody but the user can put or open one.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let user = Uid::effective();
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Path::new(&folder).join("cargo-fg"),
        None => std::env::temp_dir().join(format!("cargo-fg-{user}")),
    };
    let shown = folder.display();
    let created = fs::DirBuilder::new().mode(0o700).create(&folder);
    if let Err(error) = created
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot make the folder {shown}"));
    }
    let metadata = fs::symlink_metadata(&folder).with_context(|| format!("cannot read {shown}"))?;
    if !metadata.is_dir() || metadata.uid() != user.as_raw() || metadata.mode() & 0o077 != 0 {
        bail!("{shown} is not a folder that only you can use: remove it, or set XDG_RUNTIME_DIR");
    }
    Ok(folder)
}
