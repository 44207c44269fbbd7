//! The service: checks the token and the path of a request, and responds with a value.

use std::sync::Arc;

use fg_util::secrets::{NAME_HINT, PATH_PREFIX, TOKEN_HEADER};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, header};

use super::response::{self, HttpResponse};
use crate::cache::{Cache, GetError};
use crate::percent;
use crate::source::{SecretName, SourceErrorKind};
use crate::store::Served;
use crate::token::Token;

/// Serves the requests of all connections.
pub(crate) struct Service {
    cache: Arc<Cache>,
    token: Token,
}

/// The status and the message of a response without a value.
struct Rejection(StatusCode, String);

impl Service {
    pub(crate) fn new(cache: Arc<Cache>, token: Token) -> Self {
        Self { cache, token }
    }

    /// Responds to a request. Its body is not read.
    pub(crate) async fn respond<B>(&self, request: &Request<B>) -> HttpResponse {
        match self
            .get(request.method(), request.uri(), request.headers())
            .await
        {
            Ok(served) => response::value(served),
            Err(Rejection(status, message)) => response::error(status, &message),
        }
    }

    async fn get(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Served, Rejection> {
        // First, so that a client without the token learns nothing else.
        self.authorize(headers)?;
        let name = name(uri)?;
        if method != Method::GET {
            let message = "the method is not GET";
            return Err(Rejection(StatusCode::METHOD_NOT_ALLOWED, message.into()));
        }
        if is_out_of_date(headers) {
            self.cache.expire(&name);
        }
        self.cache.get(&name).await.map_err(|error| match error {
            GetError::Source(error) => {
                let status = match error.kind() {
                    SourceErrorKind::NotFound => StatusCode::NOT_FOUND,
                    SourceErrorKind::Denied | SourceErrorKind::Failed => StatusCode::BAD_GATEWAY,
                    SourceErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                };
                Rejection(status, error.to_string())
            }
            GetError::Busy => {
                let message = "too many secrets are being fetched; retry later";
                Rejection(StatusCode::SERVICE_UNAVAILABLE, message.into())
            }
        })
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let problem = match headers.get(TOKEN_HEADER) {
            Some(sent) if self.token.is(sent.as_bytes()) => return Ok(()),
            Some(_) => "is wrong",
            None => "is missing",
        };
        let place = self.token.place();
        Err(Rejection(
            StatusCode::UNAUTHORIZED,
            format!("the header X-Secrets-Token {problem}; send {place}"),
        ))
    }
}

/// Returns whether the client has a value that is out of date, for example because a server has rejected it.
fn is_out_of_date(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CACHE_CONTROL);
    value.is_some_and(|value| value == "no-cache")
}

/// Returns the name in a path.
fn name(uri: &Uri) -> Result<SecretName, Rejection> {
    let Some(name) = uri.path().strip_prefix(PATH_PREFIX) else {
        let message = "the path is not known; request /secrets/NAME";
        return Err(Rejection(StatusCode::NOT_FOUND, message.into()));
    };
    if uri.query().is_some() {
        let message = "the URL has a query; remove it, and the `?`";
        return Err(Rejection(StatusCode::BAD_REQUEST, message.into()));
    }
    // Clients may encode the `/` in a name.
    let name = percent::decode(name).and_then(|name| String::from_utf8(name).ok());
    let name = name.and_then(|name| SecretName::new(&name).ok());
    name.ok_or_else(|| {
        let message = format!("the path has no valid name of a secret; {NAME_HINT}");
        Rejection(StatusCode::BAD_REQUEST, message)
    })
}
