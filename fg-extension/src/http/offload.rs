//! Reads large bodies on a thread of their own, so that they do not hold up other requests.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::log::writer::spawn;

/// The maximum size of a body that is read on the thread of the runtime, which takes less than 2 ms. A body of the maximum
/// size takes up to 40 ms.
pub(crate) const MAX_INLINE: usize = 256 * 1024;

/// Does the work on a thread of its own, or on this one if no thread can be started. Returns `None` if the work panics.
///
/// # Cancel safety
///
/// If the future is dropped, the work continues, and its result is dropped.
pub(crate) async fn offload<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    let result = Arc::new(Mutex::new(None));
    let place = Arc::clone(&result);
    let work = move || *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(work());
    run(Box::new(work)).await;
    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
    result.take()
}

type Work = Box<dyn FnOnce() + Send>;

async fn run(work: Work) {
    // Shared, so that the work is not lost with a thread that cannot be started.
    let work = Arc::new(Mutex::new(Some(work)));
    let do_work = |work: &Mutex<Option<Work>>| {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(work) = work {
            work();
        }
    };
    let (done, is_done) = oneshot::channel::<()>();
    let shared = Arc::clone(&work);
    let thread = move || {
        do_work(&shared);
        drop(done);
    };
    match spawn("worker", Box::new(thread)) {
        // An error means that the sender was dropped, which is what it is for.
        Ok(()) => drop(is_done.await),
        Err(_) => do_work(&work),
    }
}

#[cfg(test)]
mod tests {
    use super::offload;

    #[tokio::test]
    async fn work_runs_on_another_thread() {
        let here = std::thread::current().id();
        let there = offload(|| std::thread::current().id()).await;
        assert!(there.is_some_and(|there| there != here));
    }
}
