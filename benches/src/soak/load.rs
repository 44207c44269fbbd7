//! Posts telemetry and invocations to one extension at a steady rate, until `is_stopping` is set.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Items;
use super::events::{self, Batch, Numbering};
use crate::http;

/// How long a response may take. A process that is frozen does not respond.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a batch waits that was rejected with status 503, as the platform may send it again.
const PAUSE: Duration = Duration::from_millis(50);

/// Counters of what was posted, and whether the shutdown has started.
#[derive(Default)]
pub(crate) struct Load {
    /// From now on, connections may be refused, reset, or closed.
    pub(crate) is_stopping: AtomicBool,
    pub(crate) batches: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) invocations: AtomicU64,
    /// Requests before the shutdown that failed: other statuses, no response.
    pub(crate) failures: Mutex<Vec<String>>,
}

impl Load {
    /// Posts the events in order, `rate` per second, and again after status 503.
    pub(crate) fn post_telemetry(
        &self,
        to: SocketAddr,
        numbering: Numbering,
        rate: f64,
        items: &Mutex<Items>,
    ) {
        let mut client = Client::new(to);
        let start = Instant::now();
        let mut next = 0;
        loop {
            wait_until(start + Duration::from_secs_f64(next as f64 / rate));
            let batch = numbering.batch(next);
            next = batch.events.end;
            if !self.post(&mut client, &batch, items) {
                return;
            }
            // The platform may use a connection for each batch (?).
            if self.batches.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
                client.close();
            }
        }
    }

    /// Posts a batch until it is acknowledged. Returns `false` if the extension shuts down first.
    fn post(&self, client: &mut Client, batch: &Batch, items: &Mutex<Items>) -> bool {
        let mut is_unanswered = false;
        loop {
            match client.post(&batch.request) {
                Ok(200) => break,
                Ok(503) => {
                    self.rejected.fetch_add(1, Ordering::Relaxed);
                }
                Ok(status) => self.fail(format!("a batch got status {status}")),
                Err(error) => {
                    is_unanswered = true;
                    // It is sent again, so that it is clear whether it was acknowledged.
                    self.fail(format!("a batch got no response: {error}"));
                }
            }
            if self.is_stopping() {
                if is_unanswered {
                    batch
                        .events
                        .clone()
                        .for_each(|it| lock(items).leave_unanswered(it));
                }
                return false;
            }
            thread::sleep(PAUSE);
        }
        batch
            .events
            .clone()
            .for_each(|it| lock(items).acknowledge(it));
        true
    }

    /// Posts an invocation `rate` times per second. Some clients close the connection, or send half a request.
    pub(crate) fn post_invocations(&self, to: SocketAddr, rate: f64) {
        let mut client = Client::new(to);
        let start = Instant::now();
        for number in 0.. {
            wait_until(start + Duration::from_secs_f64(number as f64 / rate));
            if number % 50 == 25 {
                let half =
                    b"POST /extension/invoke HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n{";
                let _ = TcpStream::connect(to).and_then(|mut it| it.write_all(half));
            }
            match client.post(&events::invocation(number)) {
                Ok(200) => {
                    self.invocations.fetch_add(1, Ordering::Relaxed);
                }
                _ if self.is_stopping() => return,
                Ok(status) => self.fail(format!("invocation {number} got status {status}")),
                Err(error) => self.fail(format!("invocation {number} got no response: {error}")),
            }
            if number % 2 == 0 {
                client.close();
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    fn fail(&self, failure: String) {
        let mut failures = lock(&self.failures);
        if !self.is_stopping() && failures.len() < 1000 {
            failures.push(failure);
        }
    }
}

/// A client with at most one connection.
struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    fn close(&mut self) {
        self.stream = None;
    }

    /// Returns the status of the response. After an error, the next request uses a new connection.
    fn post(&mut self, request: &[u8]) -> io::Result<u16> {
        let status = self.exchange(request);
        if status.is_err() {
            self.close();
        }
        status
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                none.insert(stream)
            }
        };
        stream.write_all(request)?;
        let (mut buffer, mut filled) = ([0; 16 * 1024], 0);
        loop {
            if let Some(message) = http::parse(&buffer[..filled]) {
                let status = message.status().ok_or(ErrorKind::InvalidData)?;
                if message.header("connection") == Some("close") {
                    self.stream = None;
                }
                return Ok(status);
            }
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
    }
}

fn wait_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
