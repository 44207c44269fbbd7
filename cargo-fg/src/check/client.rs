//! A client that can send half of a request, over connections of which each is seen.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, Version, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to the extension.
pub(super) struct Connection {
    address: SocketAddr,
    patience: Duration,
    sender: SendRequest<Channel<Bytes>>,
    /// A set, because it ends its task with it.
    _task: JoinSet<hyper::Result<()>>,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    /// Whether it says that it closes the connection.
    pub(super) closes: bool,
}

/// A request of which the head and half of the body are sent.
pub(super) struct Half {
    answer: Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>,
    sender: Sender<Bytes>,
    rest: Bytes,
    patience: Duration,
}

/// One POST over a connection of its own.
pub(super) async fn post(
    address: SocketAddr,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<Answer, String> {
    Connection::open(address).await?.post(path, body).await
}

/// Waits until somebody listens there, for a while.
pub(super) async fn listening(address: SocketAddr) {
    let deadline = Instant::now() + PATIENCE / 2;
    while TcpStream::connect(address).await.is_err() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, String> {
        Self::open_within(address, PATIENCE).await
    }

    /// The patience is for the connection, and for each answer.
    pub(super) async fn open_within(
        address: SocketAddr,
        patience: Duration,
    ) -> Result<Self, String> {
        let connect = timeout(patience, TcpStream::connect(address));
        let stream = match connect.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("cannot connect to {address}: {error}")),
            Err(_) => return Err(format!("{address} takes no connection")),
        };
        // Otherwise a second half would wait for the acknowledgement of the first.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(told)?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self {
            address,
            patience,
            sender,
            _task: task,
        })
    }

    pub(super) async fn post(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        self.begin(path, body.into(), 0).await?.finish().await
    }

    /// Sends the head, and the first half of the body; nothing is left of it if that is answered with 200 already,
    /// by one who does not look at the body.
    pub(super) async fn half(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<Half>, String> {
        let body = body.into();
        let middle = body.len() / 2;
        let mut half = self.begin(path, body, middle).await?;
        // The connection's task sends it; this one asks for the answer, which does not come yet.
        match half.early(Duration::from_millis(20)).await {
            Some(Ok(answer)) if answer.status == 200 => Ok(None),
            Some(Ok(answer)) => Err(format!(
                "{} came before the request was whole",
                answer.told()
            )),
            Some(Err(error)) => Err(error),
            None => Ok(Some(half)),
        }
    }

    async fn begin(&mut self, path: &str, body: Bytes, now: usize) -> Result<Half, String> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len());
        let (mut sender, channel) = Channel::new(2);
        let request = request.body(channel).map_err(told)?;
        self.sender.ready().await.map_err(told)?;
        let answer = Box::pin(self.sender.send_request(request));
        if now > 0 {
            sender.send_data(body.slice(..now)).await.map_err(told)?;
        }
        Ok(Half {
            answer,
            sender,
            rest: body.slice(now..),
            patience: self.patience,
        })
    }
}

impl Half {
    /// What comes within this time, although the request is not whole.
    pub(super) async fn early(&mut self, within: Duration) -> Option<Result<Answer, String>> {
        match timeout(within, &mut self.answer).await {
            Ok(response) => Some(read(response).await),
            Err(_) => None,
        }
    }

    /// Sends the rest, and waits for the answer.
    pub(super) async fn finish(self) -> Result<Answer, String> {
        let Self {
            answer,
            mut sender,
            rest,
            patience,
        } = self;
        // If it cannot be sent, the answer tells why.
        if !rest.is_empty() {
            let _ = sender.send_data(rest).await;
        }
        drop(sender);
        match timeout(patience, answer).await {
            Ok(response) => read(response).await,
            Err(_) => Err(format!("no answer in {patience:?}")),
        }
    }
}

impl Answer {
    /// `500: what it said`, shortened.
    pub(super) fn told(&self) -> String {
        let body: String = self.body.chars().take(200).collect();
        match body.trim() {
            "" => self.status.to_string(),
            body => format!("{}: {body}", self.status),
        }
    }

    /// Whether it is a 200; if not, what it is.
    pub(super) fn expect_200(self) -> Result<Self, String> {
        if self.status == 200 {
            Ok(self)
        } else {
            Err(format!("answered with {}", self.told()))
        }
    }
}

async fn read(response: hyper::Result<Response<Incoming>>) -> Result<Answer, String> {
    let response = response.map_err(told)?;
    let connection = response.headers().get(header::CONNECTION);
    let says = |word: &str| {
        connection.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    let closes = says("close") || (response.version() == Version::HTTP_10 && !says("keep-alive"));
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), 6 * 1024 * 1024).collect();
    let body = match timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Err(format!("the answer {status} broke off: {error}")),
        Err(_) => return Err(format!("the answer {status} did not end in {PATIENCE:?}")),
    };
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        closes,
    })
}

fn told<E: Into<anyhow::Error>>(error: E) -> String {
    format!("{:#}", error.into())
}
