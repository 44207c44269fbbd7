//! Request bodies, read with size limits.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, header};
use tokio::time::timeout;

use super::connection::{ConnectionState, MAX_BUFFER, Stage};
use super::reading::{Reservation, SMALL};

/// The maximum size of a request body: 6 MB (D, instance limits).
pub(crate) const LIMIT: usize = 6 * 1024 * 1024;

/// The size of the buffer for a body that is neither small nor large. That for a large body is [`LIMIT`].
///
/// There are few sizes, so that the allocator can reuse a buffer. One that grew in small steps would leave several behind.
const MEDIUM: usize = 512 * 1024;

/// The maximum size of the text of a body, in which invalid bytes and characters have been replaced by longer ones.
pub(crate) const TEXT_LIMIT: usize = LIMIT + 64 * 1024;

/// The maximum number of bytes to read from the body of a rejected request before closing the connection.
const DISCARD_LIMIT: usize = 64 * 1024 * 1024;

/// The maximum time to wait for the next part of such a body.
const DISCARD_PAUSE: Duration = Duration::from_secs(1);

pub(crate) enum BodyError {
    TooLarge,
    /// The bodies of other requests take too much memory.
    Overloaded,
    /// The buffer is full, or too many invocations are in flight.
    NotAdmitted,
    /// The connection broke before the body was complete.
    Broken(hyper::Error),
}

/// The body of a request, which has not been read.
pub(crate) struct RequestBody {
    incoming: Incoming,
    /// Whether the client sends the body only after `100 Continue`.
    expects_continue: bool,
    connection: Arc<ConnectionState>,
}

/// A whole body, with the reservation of its memory.
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    pub(crate) reservation: Reservation,
}

impl RequestBody {
    /// Drops the rest of the request, so that futures that read the body are small.
    pub(crate) fn of(request: Request<Incoming>, connection: Arc<ConnectionState>) -> Self {
        Self {
            expects_continue: request.headers().contains_key(header::EXPECT),
            incoming: request.into_body(),
            connection,
        }
    }

    /// Reads the whole body, if `admit` returns `true` for its size. The size of a body of unknown length is that of
    /// what has arrived.
    ///
    /// A body that is not admitted is discarded without being stored, as soon as that is known.
    ///
    /// # Errors
    ///
    /// Returns an error if the body exceeds [`LIMIT`], if it is not admitted, if the bodies of other requests take too
    /// much memory, or if the connection breaks.
    pub(crate) async fn read(
        mut self,
        admit: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<ReadBody, BodyError> {
        let mut reservation = Reservation::default();
        let check = |size: usize| {
            if size > LIMIT {
                Some(BodyError::TooLarge)
            } else if !admit(size) {
                Some(BodyError::NotAdmitted)
            } else {
                None
            }
        };
        let length = usize::try_from(self.incoming.size_hint().lower()).unwrap_or(usize::MAX);
        let error = check(length).or_else(|| {
            // The memory for a large body is reserved at once: otherwise several of them could all run out of memory
            // before any is complete. The memory for a small one is reserved when it arrives.
            (length > SMALL && !reservation.grow(length)).then_some(BodyError::Overloaded)
        });
        if let Some(error) = error {
            Box::pin(self.discard()).await;
            return Err(error);
        }
        let mut single = Bytes::new();
        let mut parts = Vec::new();
        while let Some(frame) = self.incoming.frame().await {
            let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
                continue;
            };
            let size = single.len().max(parts.len()) + data.len();
            let error = match size > length {
                true => check(size),
                false => None,
            };
            let expected = size.max(length);
            let capacity = if expected <= SMALL {
                expected.next_power_of_two()
            } else if expected <= MEDIUM && length > 0 {
                MEDIUM
            } else {
                LIMIT
            };
            // A body that arrives whole with its header is in a buffer that the connection has anyway. So invocations are
            // served even if half-sent bodies take all of the memory.
            let is_whole =
                size <= MAX_BUFFER && size == data.len() && self.incoming.is_end_stream();
            let is_reserved = is_whole
                || if size <= length {
                    reservation.grow(size)
                } else if size <= SMALL {
                    reservation.grow(capacity)
                } else {
                    reservation.grow_to_rest(size)
                };
            let overloaded = || (!is_reserved).then_some(BodyError::Overloaded);
            if let Some(error) = error.or_else(overloaded) {
                drop((single, parts, data));
                Box::pin(discard_rest(self.incoming)).await;
                return Err(error);
            }
            // Most bodies arrive in a single frame, which does not have to be copied.
            if single.is_empty() && parts.is_empty() {
                single = data;
            } else {
                if parts.capacity() < capacity {
                    parts.reserve_exact(capacity - parts.len());
                }
                parts.extend_from_slice(&single);
                single = Bytes::new();
                parts.extend_from_slice(&data);
            }
        }
        self.connection.enter(Stage::Handling);
        let bytes = match parts.is_empty() {
            true => single,
            false => parts.into(),
        };
        reservation.shrink(bytes.len());
        Ok(ReadBody { bytes, reservation })
    }

    /// Reads and discards the body.
    ///
    /// Otherwise a client that sends the whole body before it reads would fail to send it, and never see the response.
    pub(crate) async fn discard(self) {
        // Without `100 Continue` there is nothing to discard.
        if !self.expects_continue {
            discard_rest(self.incoming).await;
        }
    }
}

impl From<Bytes> for ReadBody {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            reservation: Reservation::default(),
        }
    }
}

async fn discard_rest(mut body: Incoming) {
    let mut discarded = 0;
    while discarded < DISCARD_LIMIT
        && let Ok(Some(Ok(frame))) = timeout(DISCARD_PAUSE, body.frame()).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
