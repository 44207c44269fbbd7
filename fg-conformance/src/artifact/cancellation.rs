//! Work on files that stops when the future that waits for it is dropped.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rawzip::ReaderAt;

use super::zip_error::canceled;
use crate::Error;

/// Whether the work is canceled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    pub(super) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Cancels the work when this is dropped.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A file that cannot be read any more after the cancellation.
#[derive(Debug)]
pub(super) struct CancelableFile {
    pub(super) file: File,
    pub(super) cancellation: Cancellation,
}

impl ReaderAt for CancelableFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.cancellation.0.load(Ordering::Relaxed) {
            return Err(canceled());
        }
        self.file.read_at(buf, offset)
    }
}

/// Runs work on files on a thread that may block.
///
/// # Cancel safety
///
/// If the future is dropped, the work soon fails and cleans up on its thread. The tokio runtime waits for that thread when it
/// is dropped.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce(Cancellation) -> T + Send + 'static,
) -> Result<T, Error> {
    let guard = CancelOnDrop(Cancellation::default());
    let cancellation = guard.0.clone();
    let result = tokio::task::spawn_blocking(move || work(cancellation)).await;
    drop(guard);
    result.map_err(Error::because("cannot read the ZIP"))
}
