//! The wire format of the control socket: lines of JSON, the first of which is a greeting.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::invocation::FunctionKind;

/// The longest line: a payload of 6 MB in which every byte is escaped, and the other fields.
const MAX_LINE_BYTES: u64 = 40 * 1024 * 1024;

/// The first line that a `dev` sends on a connection; it identifies the `dev`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Greeting {
    pub(crate) pid: u32,
    pub(crate) scripts: Vec<String>,
    pub(crate) folder: PathBuf,
    /// The workspace of that directory.
    pub(crate) workspace: PathBuf,
    pub(crate) function: FunctionKind,
}

impl Greeting {
    /// Returns the scripts and the directory, which distinguish one `dev` from another.
    pub(crate) fn description(&self) -> String {
        let Self {
            pid,
            scripts,
            folder,
            ..
        } = self;
        format!("{pid} ({} in {})", scripts.join(", "), folder.display())
    }
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

/// Reads a value from a line of JSON. Returns `None` if the other side has closed the connection.
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
