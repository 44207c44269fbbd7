//! The load generator: one thread with nonblocking sockets. Each connection has at most one request in flight.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::http;

/// How long a request that was rejected with status 503 waits before it is sent again. A full buffer of 4 MiB takes longer
/// to process.
const PAUSE: Duration = Duration::from_millis(10);

/// The time after which a run without any response fails.
const STALL: Duration = Duration::from_secs(30);

/// How long to try to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// When to stop sending requests.
#[derive(Clone, Copy)]
pub(crate) enum Stop {
    After(Duration),
    Requests(u64),
}

/// What was sent, and how long it took.
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Requests that were sent again after status 503.
    pub(crate) retries: u64,
    /// When the first request was sent.
    pub(crate) start: Instant,
    pub(crate) elapsed: Duration,
    /// In seconds.
    pub(crate) latencies: Vec<f64>,
}

/// Sends the complete HTTP `requests`, one after the other and then from the start. Before that, each connection sends
/// the request `warm_up`.
///
/// # Errors
///
/// Returns an error if the server cannot be reached, or a response has a status other than 200 and 503.
pub(crate) fn run(
    address: SocketAddr,
    requests: &[Vec<u8>],
    warm_up: Option<&[u8]>,
    connections: usize,
    stop: Stop,
) -> anyhow::Result<Outcome> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut connections: Vec<_> = (0..connections)
        .map(|_| Connection::open(address, warm_up))
        .collect::<Result<_, _>>()?;
    for (index, connection) in connections.iter().enumerate() {
        connection.watch(&epoll, index)?;
    }
    let mut generator = Generator {
        requests,
        stop,
        start: Instant::now(),
        sent: 0,
        retries: 0,
        latencies: Vec::new(),
    };
    let mut in_flight = 0;
    for connection in &mut connections {
        in_flight += usize::from(generator.next(connection)?);
    }
    let mut events = [EpollEvent::empty(); 64];
    let mut last_response = Instant::now();
    while in_flight > 0 {
        let pause = connections.iter().any(|it| it.retry_at.is_some());
        let timeout = if pause { PAUSE } else { Duration::from_secs(1) };
        let ready = epoll.wait(&mut events, EpollTimeout::try_from(timeout)?)?;
        for event in &events[..ready] {
            let connection = &mut connections[event.data() as usize];
            if !connection.is_idle && generator.advance(connection)? {
                last_response = Instant::now();
                in_flight -= usize::from(connection.is_idle);
            }
        }
        if pause {
            for connection in &mut connections {
                if connection.retry_at.is_some_and(|it| it <= Instant::now()) {
                    connection.retry_at = None;
                    connection.flush(requests)?;
                }
            }
        }
        ensure!(
            last_response.elapsed() < STALL,
            "no response within {STALL:?}"
        );
    }
    Ok(Outcome {
        requests: generator.sent,
        retries: generator.retries,
        start: generator.start,
        elapsed: generator.start.elapsed(),
        latencies: generator.latencies,
    })
}

struct Generator<'a> {
    requests: &'a [Vec<u8>],
    stop: Stop,
    start: Instant,
    sent: u64,
    retries: u64,
    latencies: Vec<f64>,
}

impl Generator<'_> {
    /// Sends the next request. Returns whether there is one.
    fn next(&mut self, connection: &mut Connection) -> anyhow::Result<bool> {
        let is_over = match self.stop {
            Stop::After(duration) => self.start.elapsed() >= duration,
            Stop::Requests(requests) => self.sent == requests,
        };
        connection.is_idle = is_over;
        if !is_over {
            connection.request = (self.sent % self.requests.len() as u64) as usize;
            connection.written = 0;
            connection.sent_at = Instant::now();
            self.sent += 1;
            connection.flush(self.requests)?;
        }
        Ok(!is_over)
    }

    /// Continues to write the request or to read the response. Returns whether a response is complete.
    fn advance(&mut self, connection: &mut Connection) -> anyhow::Result<bool> {
        if connection.retry_at.is_some() {
            return Ok(false);
        }
        connection.flush(self.requests)?;
        let Some(status) = connection.read()? else {
            return Ok(false);
        };
        match status {
            200 => {
                let latency = connection.sent_at.elapsed();
                self.latencies.push(latency.as_secs_f64());
                self.next(connection)?;
            }
            503 => {
                self.retries += 1;
                connection.written = 0;
                connection.retry_at = Some(Instant::now() + PAUSE);
            }
            _ => bail!("the extension responded with status {status}"),
        }
        Ok(true)
    }
}

fn connect(address: SocketAddr, warm_up: Option<&[u8]>) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECT))?;
    if let Some(request) = warm_up {
        stream.write_all(request)?;
        let mut buffer = [0; 4096];
        let mut filled = 0;
        while http::parse(&buffer[..filled]).is_none() {
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
    }
    Ok(stream)
}

struct Connection {
    stream: TcpStream,
    request: usize,
    written: usize,
    sent_at: Instant,
    retry_at: Option<Instant>,
    is_idle: bool,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn open(address: SocketAddr, warm_up: Option<&[u8]>) -> anyhow::Result<Self> {
        let start = Instant::now();
        let stream = loop {
            match connect(address, warm_up) {
                Ok(stream) => break stream,
                // lambda-extension closes its listener after each connection and binds it again.
                Err(error) if warm_up.is_none() || start.elapsed() > CONNECT => {
                    return Err(error)
                        .with_context(|| format!("cannot connect to the extension at {address}"));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        };
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            request: 0,
            written: 0,
            sent_at: Instant::now(),
            retry_at: None,
            is_idle: true,
            buffer: vec![0; 64 * 1024],
            filled: 0,
        })
    }

    fn watch(&self, epoll: &Epoll, index: usize) -> anyhow::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll.add(&self.stream, EpollEvent::new(flags, index as u64))?;
        Ok(())
    }

    /// Writes the rest of the request, as far as the socket accepts it.
    fn flush(&mut self, requests: &[Vec<u8>]) -> anyhow::Result<()> {
        let request = &requests[self.request];
        while self.written < request.len() {
            match self.stream.write(&request[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("cannot send a request"),
            }
        }
        Ok(())
    }

    /// Returns the status of the response if it is complete.
    fn read(&mut self) -> anyhow::Result<Option<u16>> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => {
                Err(io::Error::from(ErrorKind::UnexpectedEof)).context("cannot read a response")
            }
            Ok(read) => {
                self.filled += read;
                let Some(message) = http::parse(&self.buffer[..self.filled]) else {
                    return Ok(None);
                };
                let status = message.status().context("a response without a status")?;
                self.filled = 0;
                Ok(Some(status))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("cannot read a response"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Responds to each request with the next status, and returns the bodies.
    fn server(statuses: &'static [u16]) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bodies = Vec::new();
            let mut buffer = Vec::new();
            for status in statuses {
                let end = loop {
                    if let Some(message) = http::parse(&buffer) {
                        let body = buffer[message.body.clone()].to_vec();
                        bodies.push(String::from_utf8(body).unwrap());
                        break message.body.end;
                    }
                    let mut part = [0; 1000];
                    let read = stream.read(&mut part).unwrap();
                    buffer.extend(&part[..read]);
                };
                buffer.drain(..end);
                let response = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(response.as_bytes()).unwrap();
            }
            bodies
        });
        (address, server)
    }

    #[test]
    fn requests_are_cycled_and_rejected_ones_repeated() {
        let (address, server) = server(&[200, 503, 200, 200]);
        let requests = [http::post("/", b"a"), http::post("/", b"b")];
        let outcome = run(address, &requests, None, 1, Stop::Requests(3)).unwrap();
        assert_eq!((outcome.requests, outcome.retries), (3, 1));
        assert_eq!(outcome.latencies.len(), 3);
        assert_eq!(server.join().unwrap(), ["a", "b", "b", "a"]);
    }

    #[test]
    fn another_status_is_an_error() {
        let (address, server) = server(&[404]);
        let requests = [http::post("/", b"a")];
        let result = run(address, &requests, None, 1, Stop::Requests(1));
        let error = result.err().unwrap().to_string();
        assert_eq!(error, "the extension responded with status 404");
        server.join().unwrap();
    }
}
