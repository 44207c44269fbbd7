//! Finds the control sockets of running `cargo fg dev` processes.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::Uid;

use super::control_client::ControlClient;

impl ControlClient {
    /// Connects to the `dev` with this process ID, or to the only `dev` of this user if `pid` is `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such `dev`, or if `pid` is `None` and several are running.
    pub(crate) async fn find(pid: Option<u32>) -> anyhow::Result<Self> {
        if let Some(pid) = pid {
            return Self::connect_to(pid).await;
        }
        let mut clients = Self::connect_to_all().await?;
        match clients.len() {
            0 => bail!(
                "no cargo fg dev is running; start one in another terminal, for example with `cargo fg dev -p NAME`"
            ),
            1 => Ok(clients.remove(0)),
            _ => {
                let all = clients.iter().map(|client| {
                    let greeting = &client.greeting;
                    let (scripts, directory) =
                        (greeting.scripts.join(", "), greeting.folder.display());
                    format!("{} ({scripts} in {directory})", greeting.pid)
                });
                let all: Vec<_> = all.collect();
                bail!(
                    "several cargo fg dev are running; choose one of these with --dev PID: {}",
                    all.join("; ")
                )
            }
        }
    }

    /// Connects to every running `dev` of this user, and removes the sockets of those that were killed.
    async fn connect_to_all() -> anyhow::Result<Vec<Self>> {
        let directory = socket_directory()?;
        let entries = fs::read_dir(&directory)
            .with_context(|| format!("cannot read {}", directory.display()))?;
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

/// Returns the path of the socket of the `dev` with this process ID.
pub(super) fn socket_path(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

/// Returns the directory of the sockets, and creates it if it is missing. Only the user can access it.
///
/// # Errors
///
/// Returns an error if the directory cannot be created, belongs to another user, or is accessible to other users.
pub(super) fn socket_directory() -> anyhow::Result<PathBuf> {
    let user = Uid::effective();
    let directory =
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty()) {
            Some(directory) => Path::new(&directory).join("cargo-fg"),
            None => std::env::temp_dir().join(format!("cargo-fg-{user}")),
        };
    let shown = directory.display();
    let created = fs::DirBuilder::new().mode(0o700).create(&directory);
    if let Err(error) = created
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot create the directory {shown}"));
    }
    let metadata =
        fs::symlink_metadata(&directory).with_context(|| format!("cannot read {shown}"))?;
    if !metadata.is_dir() || metadata.uid() != user.as_raw() || metadata.mode() & 0o077 != 0 {
        bail!(
            "cannot use {shown} for sockets: it must be a directory that only you can access; remove it, or set \
             XDG_RUNTIME_DIR"
        );
    }
    Ok(directory)
}
