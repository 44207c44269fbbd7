//! The HTTP client of the sources `http` and `csms`.

use std::fmt;

use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use zeroize::Zeroizing;

use super::SourceError;

/// The maximum size of a response body. A larger one is an error.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Sends requests over HTTP and HTTPS. Each uses a new connection, since an idle one may not survive a freeze. Redirects are
/// not followed, because the headers contain credentials.
pub(crate) struct Client {}

/// A response, of which `Debug` shows only the status.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    ///
    /// Returns an error message if TLS cannot be set up.
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {})
    }

    /// Sends a request with a body, and reads the response to it, whatever its status is. The header `Host` is set from the
    /// URL.
    ///
    /// The cache limits how long this may take.
    pub(crate) async fn send(&self, _request: Request<Vec<u8>>) -> Result<Response, SourceError> {
        Err(SourceError::failed("not implemented"))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
