//! An HTTP client that can send a request in two halves, on connections that are not shared.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, Version, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long connecting or a response may take.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of a response body.
const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// One connection to the extension.
pub(crate) struct Connection {
    address: SocketAddr,
    timeout: Duration,
    sender: SendRequest<Parts>,
    /// The task that drives the connection; dropping the set aborts it.
    _task: JoinSet<hyper::Result<()>>,
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    body: String,
    /// Whether the response announces that the connection will be closed.
    pub(crate) closes: bool,
}

/// A request whose head and first part of the body have been sent.
pub(crate) struct PartialRequest {
    response: PendingResponse,
    sender: mpsc::Sender<Bytes>,
    rest: Bytes,
    timeout: Duration,
}

/// A request that has been sent completely.
pub(crate) struct CompleteRequest {
    response: PendingResponse,
    timeout: Duration,
}

/// The parts of a request body. It ends when the sender is dropped, after all parts that were sent before.
struct Parts(mpsc::Receiver<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.0.poll_recv(cx);
        part.map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

type PendingResponse = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// Posts one request on a new connection.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<HttpResponse, String> {
    Connection::open(address).await?.post(path, body).await
}

/// Waits until the address accepts connections, for 5 seconds at most.
pub(crate) async fn wait_until_listening(address: SocketAddr) {
    let deadline = Instant::now() + RESPONSE_TIMEOUT / 2;
    while TcpStream::connect(address).await.is_err() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, String> {
        Self::open_within(address, RESPONSE_TIMEOUT).await
    }

    /// Opens a connection with a timeout for connecting and for each response.
    pub(crate) async fn open_within(
        address: SocketAddr,
        time_limit: Duration,
    ) -> Result<Self, String> {
        let connect = timeout(time_limit, TcpStream::connect(address));
        let stream = match connect.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("cannot connect to {address}: {error}")),
            Err(_) => {
                return Err(format!(
                    "cannot connect to {address}: no response within {time_limit:?}"
                ));
            }
        };
        // Without this, the second half would wait for the acknowledgment of the first.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(chain)?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self {
            address,
            timeout: time_limit,
            sender,
            _task: task,
        })
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<HttpResponse, String> {
        self.begin(path, body.into(), 0).await?.finish().await
    }

    /// Sends the head and the first half of the body. Returns `None` if the extension already responds with status 200,
    /// because it does not read the body.
    pub(crate) async fn post_half(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<PartialRequest>, String> {
        let body = body.into();
        let middle = body.len() / 2;
        let mut request = self.begin(path, body, middle).await?;
        // The task of the connection sends the data. A response is not expected yet.
        match request.early_response(Duration::from_millis(20)).await {
            Some(Ok(response)) if response.status == 200 => Ok(None),
            Some(Ok(response)) => Err(format!(
                "early response to an incomplete request: {}",
                response.summary()
            )),
            Some(Err(error)) => Err(error),
            None => Ok(Some(request)),
        }
    }

    async fn begin(
        &mut self,
        path: &str,
        body: Bytes,
        now: usize,
    ) -> Result<PartialRequest, String> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len());
        let (sender, parts) = mpsc::channel(2);
        let request = request.body(Parts(parts)).map_err(chain)?;
        self.sender.ready().await.map_err(chain)?;
        let response = Box::pin(self.sender.send_request(request));
        if now > 0 {
            sender.send(body.slice(..now)).await.map_err(chain)?;
        }
        Ok(PartialRequest {
            response,
            sender,
            rest: body.slice(now..),
            timeout: self.timeout,
        })
    }
}

impl PartialRequest {
    /// Returns a response that arrives within this time although the request is incomplete.
    pub(crate) async fn early_response(
        &mut self,
        within: Duration,
    ) -> Option<Result<HttpResponse, String>> {
        match timeout(within, &mut self.response).await {
            Ok(response) => Some(read(response).await),
            Err(_) => None,
        }
    }

    /// Sends the rest of the body.
    pub(crate) async fn send_rest(self) -> CompleteRequest {
        // If sending fails, the error of the response says why.
        if !self.rest.is_empty() {
            let _ = self.sender.send(self.rest).await;
        }
        CompleteRequest {
            response: self.response,
            timeout: self.timeout,
        }
    }

    /// Sends the rest of the body, and waits for the response.
    pub(crate) async fn finish(self) -> Result<HttpResponse, String> {
        self.send_rest().await.response().await
    }
}

impl CompleteRequest {
    /// Waits for the response.
    pub(crate) async fn response(self) -> Result<HttpResponse, String> {
        match timeout(self.timeout, self.response).await {
            Ok(response) => read(response).await,
            Err(_) => Err(format!("no response within {:?}", self.timeout)),
        }
    }
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
    pub(crate) fn expect_200(self) -> Result<Self, String> {
        if self.status == 200 {
            Ok(self)
        } else {
            Err(format!("expected status 200, got {}", self.summary()))
        }
    }
}

async fn read(response: hyper::Result<Response<Incoming>>) -> Result<HttpResponse, String> {
    let response = response.map_err(chain)?;
    let connection = response.headers().get(header::CONNECTION);
    let has_connection_option = |option: &str| {
        connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(option.as_bytes()))
    };
    let closes = has_connection_option("close")
        || (response.version() == Version::HTTP_10 && !has_connection_option("keep-alive"));
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect();
    let body = match timeout(RESPONSE_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Err(format!("incomplete response with status {status}: {error}")),
        Err(_) => {
            return Err(format!(
                "incomplete response with status {status} after {RESPONSE_TIMEOUT:?}"
            ));
        }
    };
    Ok(HttpResponse {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        closes,
    })
}

fn chain<E: std::error::Error + 'static>(error: E) -> String {
    fg_util::error::chain(&error)
}
