//! [`HttpResponse`]: a complete response.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Response, Version};
use tokio::time::timeout;

use super::{Failure, RESPONSE_TIMEOUT, RequestError, chain};

/// The maximum size of a response body (D: 6 MB).
const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// The response to a request.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Whether the response announces that the connection will be closed.
    pub(crate) closes: bool,
}

impl HttpResponse {
    /// Returns the status and the start of the body: `500: internal error`.
    pub(crate) fn summary(&self) -> String {
        let body: String = self.body.chars().take(200).collect();
        match body.trim() {
            "" => self.status.to_string(),
            body => format!("{}: {body}", self.status),
        }
    }

    /// Returns an error if the status is not 200.
    pub(crate) fn expect_200(self) -> Result<Self, RequestError> {
        if self.status == 200 {
            Ok(self)
        } else {
            let message = format!("expected status 200, got {}", self.summary());
            Err(RequestError::new(Failure::Status, message))
        }
    }
}

/// Reads the response completely.
pub(super) async fn read(
    response: hyper::Result<Response<Incoming>>,
) -> Result<HttpResponse, RequestError> {
    let (parts, mut incoming) = response.map_err(chain)?.into_parts();
    let status = parts.status.as_u16();
    let mut body = Vec::new();
    let collect = async {
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame.map_err(|error| chain(error).to_string())?.into_data() {
                body.extend_from_slice(&data);
            }
            if body.len() > MAX_BODY_BYTES {
                return Err(format!("the body exceeds {MAX_BODY_BYTES} bytes"));
            }
        }
        Ok(())
    };
    let collected = timeout(RESPONSE_TIMEOUT, collect).await;
    let announced = parts.headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok());
    let received = match announced {
        Some(length) => format!(
            "{} of {length} bytes announced by Content-Length",
            body.len()
        ),
        None => format!("{} bytes", body.len()),
    };
    match collected {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let message =
                format!("incomplete response with status {status}: received {received}: {error}");
            return Err(RequestError::new(Failure::Other, message));
        }
        Err(_) => {
            let message = format!(
                "incomplete response with status {status}: received {received} within {RESPONSE_TIMEOUT:?}"
            );
            return Err(RequestError::new(Failure::Timeout, message));
        }
    }
    let connection = parts.headers.get_all(header::CONNECTION).iter();
    let options: Vec<_> = connection.filter_map(|value| value.to_str().ok()).collect();
    let options = options.join(",");
    let has_connection_option = |option: &str| {
        let mut options = options.split(',');
        options.any(|other| other.trim().eq_ignore_ascii_case(option))
    };
    let closes = has_connection_option("close")
        || (parts.version == Version::HTTP_10 && !has_connection_option("keep-alive"));
    Ok(HttpResponse {
        status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        closes,
    })
}
