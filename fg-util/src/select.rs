//! Two futures in one task.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The output of the future that finished first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Either<A, B> {
    /// The first future finished.
    First(A),
    /// The second one finished.
    Second(B),
}

/// Waits for the future that finishes first, `a` if both have, and drops the other one.
///
/// # Cancel safety
///
/// The future that did not finish is dropped where it waits, so it should be cancel safe.
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

/// Waits for `main`, and polls `background` alongside it until `main` finishes.
///
/// # Cancel safety
///
/// `background` is dropped where it waits once `main` has finished.
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
            Poll::Pending => panic!("the future waits"),
        }
    }

    #[test]
    fn first_one_wins_a_tie() {
        assert_eq!(block_on(select(ready(1), ready(2))), Either::First(1));
        assert_eq!(
            block_on(select(pending::<i32>(), ready(2))),
            Either::Second(2)
        );
    }

    #[test]
    fn background_is_polled_until_it_finishes() {
        let polls = Cell::new(0);
        let background = async { polls.set(polls.get() + 1) };
        assert_eq!(block_on(run_alongside(background, ready(1))), 1);
        assert_eq!(polls.get(), 1);
    }
}
