//! Bounds the memory of all request bodies that are being read or handled, in the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::body::LIMIT;

/// The maximum size of a small body.
///
/// Small bodies have memory of their own, so that invocations are served while large bodies are being read.
pub(crate) const SMALL: usize = 64 * 1024;

process_static! {
    /// The bytes in use by small bodies, and by large ones.
    fn used() -> [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
}
/// A single body of the maximum size fits if no other large body is being read.
const MAX: [usize; 2] = [2 * 1024 * 1024, LIMIT];

/// Bytes that are reserved until it is dropped.
#[derive(Default)]
pub(crate) struct Reservation {
    bytes: usize,
}

impl Reservation {
    /// Reserves `bytes` in total. Returns `false`, and keeps what it has, if that is too much.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            return true;
        }
        let (old, new) = (pool(self.bytes), pool(bytes));
        let added = if old == new {
            bytes - self.bytes
        } else {
            bytes
        };
        if used()[new].fetch_add(added, Ordering::Relaxed) + added > MAX[new] {
            used()[new].fetch_sub(added, Ordering::Relaxed);
            return false;
        }
        if old != new {
            used()[old].fetch_sub(self.bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }

    /// Reserves all that is left, which must be `bytes` in total at least.
    ///
    /// It is for a body of unknown length: several of them that grew would keep each other from completing.
    pub(crate) fn grow_to_rest(&mut self, bytes: usize) -> bool {
        let large = usize::from(true);
        let own = if pool(self.bytes) == large {
            self.bytes
        } else {
            0
        };
        let others = used()[large].load(Ordering::Relaxed) - own;
        bytes <= self.bytes || self.grow(bytes.max(MAX[large].saturating_sub(others)))
    }

    /// Releases what is not needed for `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        if bytes < self.bytes && pool(bytes) == pool(self.bytes) {
            used()[pool(bytes)].fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        used()[pool(self.bytes)].fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Returns whether no memory is reserved.
#[cfg(test)]
pub(crate) fn is_unused() -> bool {
    used().iter().all(|used| used.load(Ordering::Relaxed) == 0)
}

fn pool(bytes: usize) -> usize {
    usize::from(bytes > SMALL)
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Reservation, SMALL};

    // One test, since the memory is that of the process.
    #[test]
    fn reservations_are_bounded_and_released() {
        let reserve = |bytes| {
            let mut reservation = Reservation::default();
            reservation.grow(bytes).then_some(reservation)
        };
        for _ in 0..2 {
            let mut growing = reserve(SMALL).unwrap();
            assert!(growing.grow(LIMIT) && growing.grow(1));
            assert!(!growing.grow(LIMIT + 1));
            assert!(reserve(SMALL + 1).is_none());
            // Small bodies are independent of large ones.
            let small: Vec<_> = std::iter::from_fn(|| reserve(SMALL)).collect();
            assert_eq!(small.len(), 2 * 1024 * 1024 / SMALL);
            drop(growing);
            let mut large = reserve(SMALL + 1).unwrap();
            assert!(!large.grow(LIMIT + 1) && large.grow(LIMIT));
            large.shrink(SMALL + 1);
            assert!(reserve(LIMIT - SMALL).is_none() && reserve(LIMIT - SMALL - 1).is_some());
        }
    }
}
