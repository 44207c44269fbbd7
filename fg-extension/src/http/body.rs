//! Request bodies, read within bounds.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, header};
use tokio::time::timeout;

/// The most a request's body may have: 6 MB (D, instance limits).
pub(crate) const LIMIT: usize = 6 * 1024 * 1024;

/// How much of a body that nobody wants is read before the connection is given up.
const DISCARD_LIMIT: usize = 64 * 1024 * 1024;

/// How long such a body may pause before that.
const DISCARD_PAUSE: Duration = Duration::from_secs(1);

pub(crate) enum BodyError {
    TooLarge,
    /// The client broke off.
    Broken(hyper::Error),
}

/// The whole body, if it is not too large.
pub(crate) async fn read(request: Request<Incoming>) -> Result<Bytes, BodyError> {
    if request.body().size_hint().lower() > LIMIT as u64 {
        discard(request).await;
        return Err(BodyError::TooLarge);
    }
    let mut body = request.into_body();
    let mut single = Bytes::new();
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
            continue;
        };
        if single.len().max(parts.len()) + data.len() > LIMIT {
            discard_rest(body).await;
            return Err(BodyError::TooLarge);
        }
        // Nearly every body comes in one piece, and is then not copied.
        if single.is_empty() && parts.is_empty() {
            single = data;
        } else {
            if parts.is_empty() {
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

/// Reads a body away, so that a client that writes all of it before it reads comes to see the answer.
pub(crate) async fn discard(request: Request<Incoming>) {
    // This client asks first; it is not told to go on, and sends nothing.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    discard_rest(request.into_body()).await;
}

async fn discard_rest(mut body: Incoming) {
    let mut discarded = 0;
    while discarded < DISCARD_LIMIT
        && let Ok(Some(Ok(frame))) = timeout(DISCARD_PAUSE, body.frame()).await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
