//! Reads the payload of an invocation: text, a file, or standard input.

use std::io::Read;

use anyhow::{Context, bail};

use crate::invocation::{MAX_PAYLOAD_BYTES, PAYLOAD_TOO_LARGE, Payload};

/// Returns the payload for an argument: text, `@FILE`, or `-` for standard input.
///
/// # Errors
///
/// Returns an error if the file or standard input cannot be read, or if the payload is larger than 6 MB.
pub(crate) fn read_payload(argument: &str) -> anyhow::Result<Payload> {
    let payload = match argument {
        "-" => {
            let mut payload = Vec::new();
            let stdin = std::io::stdin().lock();
            // One more byte is enough to notice that the payload is too large.
            stdin
                .take(MAX_PAYLOAD_BYTES as u64 + 1)
                .read_to_end(&mut payload)
                .context("cannot read the payload from standard input")?;
            payload
        }
        text => match text.strip_prefix('@') {
            Some(path) => std::fs::read(path)
                .with_context(|| format!("cannot read the payload from {path}"))?,
            None => text.as_bytes().to_vec(),
        },
    };
    if payload.len() > MAX_PAYLOAD_BYTES {
        bail!("{PAYLOAD_TOO_LARGE}");
    }
    Ok(Payload(payload))
}
