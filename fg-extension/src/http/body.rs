//! Request bodies, read with size limits.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, header};
use tokio::time::timeout;

/// The maximum size of a request body: 6 MB (D, instance limits).
pub(crate) const LIMIT: usize = 6 * 1024 * 1024;

/// The maximum number of bytes to read from the body of a rejected request before closing the connection.
const DISCARD_LIMIT: usize = 64 * 1024 * 1024;

/// The maximum time to wait for the next part of such a body.
const DISCARD_PAUSE: Duration = Duration::from_secs(1);

pub(crate) enum BodyError {
    TooLarge,
    /// The connection broke before the body was complete.
    Broken(hyper::Error),
}

/// The body of a request, which has not been read.
pub(crate) struct RequestBody {
    incoming: Incoming,
    /// Whether the client sends the body only after `100 Continue`.
    expects_continue: bool,
}

impl RequestBody {
    /// Drops the rest of the request, so that futures that read the body are small.
    pub(crate) fn of(request: Request<Incoming>) -> Self {
        Self {
            expects_continue: request.headers().contains_key(header::EXPECT),
            incoming: request.into_body(),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// Returns an error if the body exceeds [`LIMIT`], or if the connection breaks.
    pub(crate) async fn read(mut self) -> Result<Bytes, BodyError> {
        // The value of `content-length`, or 0 for a chunked body.
        let length = self.incoming.size_hint().lower();
        if length > LIMIT as u64 {
            Box::pin(self.discard()).await;
            return Err(BodyError::TooLarge);
        }
        let mut single = Bytes::new();
        let mut parts = Vec::new();
        while let Some(frame) = self.incoming.frame().await {
            let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
                continue;
            };
            if single.len().max(parts.len()) + data.len() > LIMIT {
                Box::pin(discard_rest(self.incoming)).await;
                return Err(BodyError::TooLarge);
            }
            // Nearly every body arrives in a single frame, which does not have to be copied.
            if single.is_empty() && parts.is_empty() {
                single = data;
            } else {
                if parts.is_empty() {
                    // Without this, a large body would be copied again each time that the buffer grows.
                    parts.reserve_exact((length as usize).max(single.len() + data.len()));
                    parts.extend_from_slice(&single);
                }
                parts.extend_from_slice(&data);
            }
        }
        Ok(if parts.is_empty() {
            single
        } else {
            parts.into()
        })
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

async fn discard_rest(mut body: Incoming) {
    let mut discarded = 0;
    while discarded < DISCARD_LIMIT
        && let Ok(Some(Ok(frame))) = timeout(DISCARD_PAUSE, body.frame()).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
