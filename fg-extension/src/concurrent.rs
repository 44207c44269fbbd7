//! Two futures in one task.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Whichever ends first; `a` if both have. The other one is dropped.
pub(crate) async fn either<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if let Poll::Ready(output) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        b.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// `main`, with `background` running beside it until `main` ends.
pub(crate) async fn beside<B: Future, M: Future>(background: B, main: M) -> M::Output {
    let (mut background, mut main) = (pin!(background), pin!(main));
    let mut running = true;
    poll_fn(|cx| {
        running = running && background.as_mut().poll(cx).is_pending();
        main.as_mut().poll(cx)
    })
    .await
}
