//! The payload of an invocation, as it is given on the command line.

use std::io::Read;

use anyhow::{Context, bail};

use crate::invocation::Payload;

/// D (user guide): the body of a request.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Returns the payload for an argument: text, `@FILE`, or `-` for standard input.
pub(crate) fn read_payload(argument: &str) -> anyhow::Result<Payload> {
    let payload = match argument {
        "-" => {
            let mut payload = Vec::new();
            let stdin = std::io::stdin().lock();
            // One byte more shows that it is too large.
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
        bail!("the payload is too large: FunctionGraph takes 6 MB");
    }
    Ok(Payload(payload))
}
