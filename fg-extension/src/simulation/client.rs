//! An HTTP client of the extension, which sends requests as clients do: whole, in parts, or never to the end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::sleep;

use super::TOLERANCE;
use super::network::TcpStream;
use super::world::{self, choose};
use crate::Port;

/// How long a client that has closed its sending side is waited for.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(1);

/// What a client does with one request.
pub(super) enum Manner {
    Whole,
    /// The client closes its sending side after the request.
    HalfCloses,
    /// In two parts, with a pause between them.
    Halves(Duration),
    /// It never sends the rest.
    Half,
    /// It sends everything, and resets the connection after a while, without reading the response.
    Leaves(Duration),
}

impl Manner {
    pub(super) fn random() -> Self {
        let (kind, pause) = choose(|random| (random.within(0..=99), random.millis(1..=4000)));
        match kind {
            0..65 => Self::Whole,
            65..70 => Self::HalfCloses,
            70..85 => Self::Halves(pause),
            85..93 => Self::Half,
            93..97 => Self::Leaves(Duration::ZERO),
            _ => Self::Leaves(pause / 4),
        }
    }
}

/// The result of a request.
pub(super) enum Response {
    Status(u16),
    /// The request was not complete, or the client has left.
    NotExpected,
    /// A complete request has no response. `was_owed` says whether it was complete before a shutdown was requested.
    Missing {
        was_owed: bool,
        error: io::Error,
    },
}

/// A connection of a client.
pub(super) struct Client {
    stream: TcpStream,
    /// What was received after the last response.
    received: Vec<u8>,
    /// Whether there was a response with status 200.
    has_served: bool,
}

impl Client {
    pub(super) async fn connect(port: Port) -> io::Result<Self> {
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port.get()).into();
        let stream = TcpStream::connect(&[address]).await?;
        Ok(Self {
            stream,
            received: Vec::new(),
            has_served: false,
        })
    }

    /// Sends one or more requests at once.
    pub(super) async fn send(&mut self, requests: &[u8], manner: &Manner) -> Response {
        if let Err(error) = self.write(requests, manner).await {
            // An open connection is only closed when there are too many, and not one that has served a request. A request
            // that is rejected, however, is not waited for.
            let was_owed = self.has_served
                && matches!(manner, Manner::Whole)
                && !world::with(|world| world.is_shutting_down);
            return Response::Missing { was_owed, error };
        }
        match manner {
            Manner::Half => {
                sleep(Duration::from_secs(60)).await;
                Response::NotExpected
            }
            Manner::Leaves(pause) => {
                sleep(*pause).await;
                self.stream.reset();
                Response::NotExpected
            }
            Manner::HalfCloses => {
                let start = world::with(|world| world.running_time());
                self.stream.end();
                let response = self.receive().await;
                let took = world::with(|world| world.running_time()) - start;
                match response {
                    // It looks like a client that has gone, so the extension does not wait without end.
                    Response::Missing { .. } if took + TOLERANCE >= HALF_CLOSED_TIMEOUT => {
                        Response::NotExpected
                    }
                    response => response,
                }
            }
            Manner::Whole | Manner::Halves(_) => self.receive().await,
        }
    }

    /// Waits for the response to a request that is complete.
    pub(super) async fn receive(&mut self) -> Response {
        let was_owed = !world::with(|world| world.is_shutting_down);
        match self.read_status().await {
            Ok(status) => {
                self.has_served |= status == 200;
                Response::Status(status)
            }
            Err(error) => Response::Missing { was_owed, error },
        }
    }

    async fn write(&self, bytes: &[u8], manner: &Manner) -> io::Result<()> {
        let cut = choose(|random| random.within(1..=bytes.len() as u64 - 1));
        let (first, second) = bytes.split_at(usize::try_from(cut).unwrap());
        match manner {
            Manner::Whole | Manner::HalfCloses | Manner::Leaves(_) => self.write_all(bytes).await,
            Manner::Halves(pause) => {
                self.write_all(first).await?;
                sleep(*pause).await;
                self.write_all(second).await
            }
            Manner::Half => self.write_all(first).await,
        }
    }

    pub(super) async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        write_all(&self.stream, bytes).await
    }

    /// Reads one response, and returns its status.
    async fn read_status(&mut self) -> io::Result<u16> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut response = httparse::Response::new(&mut headers);
            if let Ok(httparse::Status::Complete(head)) = response.parse(&self.received) {
                let length = response.headers.iter().find_map(|header| {
                    let is_length = header.name.eq_ignore_ascii_case("content-length");
                    is_length.then(|| str::from_utf8(header.value).ok()?.parse::<usize>().ok())?
                });
                let end = head + length.unwrap_or_default();
                if self.received.len() >= end {
                    let status = response.code.unwrap_or_default();
                    self.received.drain(..end);
                    return Ok(status);
                }
            }
            self.stream.readable().await?;
            let mut buffer = [0; 4096];
            match self.stream.try_read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.received.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Waits until the extension closes or resets the connection.
    pub(super) async fn closed(&self) {
        let mut buffer = [0; 64];
        loop {
            let _ = self.stream.readable().await;
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }

    /// Returns whether there is anything that does not belong to a response.
    pub(super) fn has_more(&self) -> bool {
        let mut buffer = [0; 1];
        !self.received.is_empty() || matches!(self.stream.try_read(&mut buffer), Ok(1))
    }
}

/// Writes all bytes.
pub(super) async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns a request, whose body may be chunked.
pub(super) fn post(path: &str, body: &str) -> String {
    let (is_chunked, cut) = choose(|random| {
        let cut = random.within(0..=body.len() as u64);
        (random.percent(20), usize::try_from(cut).unwrap())
    });
    if !is_chunked {
        let length = body.len();
        return format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}"
        );
    }
    let mut request =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let (first, second) = body.split_at(cut);
    for chunk in [first, second]
        .into_iter()
        .filter(|chunk| !chunk.is_empty())
    {
        request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    request + "0\r\n\r\n"
}
