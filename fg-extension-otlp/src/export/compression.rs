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
        turn.yield_before(slice.len()).await;
        encoder.write_all(slice)?;
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Read;

    use flate2::read::GzDecoder;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn other_tasks_run_while_a_large_body_is_compressed() {
        // Numbers that look random are compressed slowly.
        let numbers = (0..1_500_000_u32).map(|number| number.wrapping_mul(0x9e37_79b9));
        let body: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        let turns = Cell::new(0);
        let other = async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        let compressed = tokio::select! {
            biased;
            compressed = compress(Compression::Gzip, body.clone()) => compressed.unwrap(),
            () = other => Bytes::new(),
        };
        assert!(turns.get() > 2, "{}", turns.get());
        let mut plain = Vec::new();
        GzDecoder::new(&*compressed)
            .read_to_end(&mut plain)
            .unwrap();
        assert!(plain == body);
    }
}
