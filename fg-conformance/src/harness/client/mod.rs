//! An HTTP client that can send a request in two halves, on connections that are not shared.

mod request_error;
mod response;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(crate) use self::request_error::{Failure, RequestError};
pub(crate) use self::response::HttpResponse;
use self::response::read;

/// How long connecting or a response may take.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the task of a closed connection takes to end.
const CLOSES_WITHIN: Duration = Duration::from_millis(100);

/// One connection to the extension.
pub(crate) struct Connection {
    address: SocketAddr,
    local_address: SocketAddr,
    timeout: Duration,
    sender: SendRequest<Parts>,
    /// The task that drives the connection; dropping the set aborts it.
    task: JoinSet<hyper::Result<()>>,
}

/// A request whose head and first part of the body have been sent.
pub(crate) struct PartialRequest {
    response: PendingResponse,
    sender: mpsc::Sender<Bytes>,
    rest: Bytes,
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
) -> Result<HttpResponse, RequestError> {
    Connection::open(address).await?.post(path, body).await
}

/// Waits until the address accepts connections, for 5 seconds at most. Returns whether it does.
pub(crate) async fn wait_until_listening(address: SocketAddr) -> bool {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(RESPONSE_TIMEOUT / 2, connects).await.is_ok()
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, RequestError> {
        Self::open_within(address, RESPONSE_TIMEOUT).await
    }

    /// Opens a connection with a timeout for connecting and for each response.
    pub(crate) async fn open_within(
        address: SocketAddr,
        time_limit: Duration,
    ) -> Result<Self, RequestError> {
        let connect = timeout(time_limit, TcpStream::connect(address));
        let stream = match connect.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let message = format!("cannot connect to {address}: {error}");
                return Err(RequestError::new(Failure::Other, message));
            }
            Err(_) => {
                let message =
                    format!("cannot connect to {address}: no response within {time_limit:?}");
                return Err(RequestError::new(Failure::Timeout, message));
            }
        };
        // Without this, the second half would wait for the acknowledgment of the first.
        let _ = stream.set_nodelay(true);
        let local_address = stream.local_addr().map_err(chain)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(chain)?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self {
            address,
            local_address,
            timeout: time_limit,
            sender,
            task,
        })
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<HttpResponse, RequestError> {
        self.begin(path, body.into(), 0).await?.finish().await
    }

    /// Sends the head and the first half of the body. Returns `None` if the extension already responds with status 200,
    /// because it does not read the body.
    pub(crate) async fn post_half(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<PartialRequest>, RequestError> {
        let body = body.into();
        let middle = body.len() / 2;
        let mut request = self.begin(path, body, middle).await?;
        // The task of the connection sends the data. A response is not expected yet.
        match request.early_response(Duration::from_millis(20)).await {
            Some(Ok(response)) if response.status == 200 => Ok(None),
            Some(Ok(response)) => {
                let message = format!(
                    "early response to an incomplete request: {}",
                    response.summary()
                );
                Err(RequestError::new(Failure::Status, message))
            }
            Some(Err(error)) => Err(error),
            None => Ok(Some(request)),
        }
    }

    /// Returns the address of this side of the connection.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Waits a moment for the connection to close, and returns whether it did so because it received bytes that belong to no
    /// response.
    pub(crate) async fn received_surplus(&mut self) -> bool {
        let closed = timeout(CLOSES_WITHIN, self.task.join_next()).await;
        // hyper has no method for this kind of error; it is the only one besides that of a message that cannot be parsed.
        matches!(closed, Ok(Some(Ok(Err(error)))) if error.to_string().contains("unexpected message") || error.is_parse())
    }

    async fn begin(
        &mut self,
        path: &str,
        body: Bytes,
        now: usize,
    ) -> Result<PartialRequest, RequestError> {
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
    ) -> Option<Result<HttpResponse, RequestError>> {
        match timeout(within, &mut self.response).await {
            Ok(response) => Some(read(response).await),
            Err(_) => None,
        }
    }

    /// Sends the rest of the body, and waits for the response.
    pub(crate) async fn finish(self) -> Result<HttpResponse, RequestError> {
        // If sending fails, the error of the response says why.
        if !self.rest.is_empty() {
            let _ = self.sender.send(self.rest).await;
        }
        // This is the end of the body.
        drop(self.sender);
        match timeout(self.timeout, self.response).await {
            Ok(response) => read(response).await,
            Err(_) => {
                let message = format!("no response within {:?}", self.timeout);
                Err(RequestError::new(Failure::Timeout, message))
            }
        }
    }
}

fn chain<E: std::error::Error + 'static>(error: E) -> RequestError {
    RequestError::new(Failure::Other, fg_util::error::chain(&error))
}
