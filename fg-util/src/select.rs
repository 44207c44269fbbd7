//! Combinators that poll two futures in one task.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The output of whichever future completed first in [`select`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Either<A, B> {
    /// The output of the first future.
    First(A),
    /// The output of the second future.
    Second(B),
}

/// Waits until one of two futures completes, and drops the other one.
///
/// If both are ready, `a` wins.
///
/// # Cancel safety
///
/// The other future is dropped before it has completed, so it should be cancel safe.
pub async fn select<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if let Poll::Ready(output) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        b.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// Waits until `main` completes, and polls `background` alongside it.
///
/// # Cancel safety
///
/// If `background` has not completed when `main` does, it is dropped, so it should be cancel safe.
pub async fn run_alongside<B: Future, M: Future>(background: B, main: M) -> M::Output {
    let (mut background, mut main) = (pin!(background), pin!(main));
    let mut running = true;
    poll_fn(|cx| {
        running = running && background.as_mut().poll(cx).is_pending();
        main.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the future is pending"),
        }
    }

    #[test]
    fn first_future_wins_if_both_are_ready() {
        assert_eq!(block_on(select(ready(1), ready(2))), Either::First(1));
        assert_eq!(
            block_on(select(pending::<i32>(), ready(2))),
            Either::Second(2)
        );
    }

    #[test]
    fn background_is_not_polled_after_it_completes() {
        let polls = Cell::new(0);
        let background = async { polls.set(polls.get() + 1) };
        assert_eq!(block_on(run_alongside(background, ready(1))), 1);
        assert_eq!(polls.get(), 1);
    }
}
