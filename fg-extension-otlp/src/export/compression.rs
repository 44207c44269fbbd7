//! Compression of request bodies.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::config::Compression;

/// Compresses a body as configured for its signal.
///
/// # Errors
///
/// Returns an error if the compressor fails.
pub(super) fn compress(compression: Compression, body: Vec<u8>) -> io::Result<Bytes> {
    match compression {
        Compression::Gzip => gzip(&body).map(Bytes::from),
        Compression::None => Ok(body.into()),
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    // The time is billed to the function, and the fast level compresses nearly as well as the others.
    let level = flate2::Compression::fast();
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    encoder.write_all(body)?;
    encoder.finish()
}
