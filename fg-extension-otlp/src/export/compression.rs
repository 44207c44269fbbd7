//! The compression of a request's body.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use hyper::body::Bytes;

use crate::config::Compression;

/// Compresses a body as its signal's configuration wants.
///
/// # Errors
///
/// The compressor fails.
pub(super) fn compress(compression: Compression, body: Vec<u8>) -> io::Result<Bytes> {
    match compression {
        Compression::Gzip => gzip(&body).map(Bytes::from),
        Compression::None => Ok(body.into()),
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    // The function pays for the time, and the faster level does nearly all of the work.
    let level = flate2::Compression::fast();
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    encoder.write_all(body)?;
    encoder.finish()
}
