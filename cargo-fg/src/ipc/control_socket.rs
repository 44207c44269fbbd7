//! What both sides of the control socket share: where it is, and JSON in lines.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::Uid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A payload of 6 MB each byte of which is escaped, and the rest of the message.
const MAX_LINE_BYTES: u64 = 40 * 1024 * 1024;

/// The first line on a connection: which `dev` this is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Greeting {
    pub(crate) pid: u32,
    pub(crate) scripts: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) function: FunctionKind,
}

/// Which kind of function is invoked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionKind {
    /// The emulator's own, whose outcome and duration each invocation chooses.
    Synthetic,
    /// A custom runtime.
    Real,
}

/// Writes a value as a line of JSON.
pub(super) async fn write(
    stream: &mut BufReader<UnixStream>,
    value: &impl Serialize,
) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(())
}

/// Reads a value from a line of JSON. `None` if the other side has closed the connection.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut BufReader<UnixStream>,
) -> anyhow::Result<Option<T>> {
    let mut line = Vec::new();
    stream
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', &mut line)
        .await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
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
