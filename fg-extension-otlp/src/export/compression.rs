//! Compression of request bodies.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::config::Compression;
use crate::turn::Turn;

/// How much is compressed before other tasks may run.
const SLICE_BYTES: usize = 64 << 10;

/// Compresses a body as configured for its signal.
///
/// # Errors
///
/// Returns an error if the compressor fails.
pub(super) async fn compress(compression: Compression, body: Vec<u8>) -> io::Result<Bytes> {
    match compression {
        Compression::Gzip => gzip(&body).await.map(Bytes::from),
        Compression::None => Ok(body.into()),
    }
}

async fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    // The time is billed to the function, and the fast level compresses nearly as well as the others.
    let level = flate2::Compression::fast();
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    let mut turn = Turn::start();
    for slice in body.chunks(SLICE_BYTES) {
        turn.yield_if_long().await;
        encoder.write_all(slice)?;
    }
    encoder.finish()
}
