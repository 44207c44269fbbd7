//! A fake OTLP collector, which is slow or fails in some phases, and finds what was sent in the bodies that it accepts.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flate2::read::GzDecoder;

use super::schedule::CollectorPhase;
use super::{Items, events};
use crate::http;

/// A collector that runs until the process exits.
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    phase: Mutex<CollectorPhase>,
    /// How long a response takes in a slow phase.
    delay: Duration,
    items: Arc<Mutex<Items>>,
    requests: AtomicU64,
    failures: AtomicU64,
}

impl Collector {
    /// Starts a collector that records what it accepts in `items`.
    pub(crate) fn start(items: &Arc<Mutex<Items>>, delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot start the collector")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            phase: Mutex::default(),
            delay,
            items: Arc::clone(items),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&accepting);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn enter(&self, phase: CollectorPhase) {
        *lock(&self.shared.phase) = phase;
    }

    /// Returns how many requests arrived, and how many of them failed.
    pub(crate) fn requests(&self) -> (u64, u64) {
        let load = |it: &AtomicU64| it.load(Ordering::Relaxed);
        (load(&self.shared.requests), load(&self.shared.failures))
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        while let Some(message) = http::parse(&buffer) {
            let end = message.body.end;
            let path = message.first_line.split(' ').nth(1).unwrap_or_default();
            let number = shared.requests.fetch_add(1, Ordering::Relaxed);
            let phase = *lock(&shared.phase);
            if phase == CollectorPhase::Failing {
                shared.failures.fetch_add(1, Ordering::Relaxed);
                if number.is_multiple_of(2) {
                    // Without a response: the client cannot know what happened to its request.
                    return Ok(());
                }
                stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")?;
            } else {
                if phase == CollectorPhase::Slow {
                    thread::sleep(shared.delay);
                }
                let is_gzip = message.header("content-encoding") == Some("gzip");
                let body = decode(&buffer[message.body.clone()], is_gzip)?;
                record(path, &body, &mut lock(&shared.items));
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
            }
            buffer.drain(..end);
        }
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => buffer.extend_from_slice(&part[..read]),
        }
    }
}

fn decode(body: &[u8], is_gzip: bool) -> io::Result<Vec<u8>> {
    if !is_gzip {
        return Ok(body.to_vec());
    }
    let mut decoded = Vec::new();
    GzDecoder::new(body).read_to_end(&mut decoded)?;
    Ok(decoded)
}

/// Finds the texts of the events in a body. They are plain text in the encoding of OTLP.
fn record(path: &str, body: &[u8], items: &mut Items) {
    match path {
        "/v1/logs" => events::numbers(body, events::LOG_PREFIX, 10, 10)
            .for_each(|it| items.events.deliver(it)),
        "/v1/traces" => events::numbers(body, events::TRACE_PREFIX, 12, 16)
            .for_each(|it| items.spans.deliver(it)),
        _ => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_binary_bodies() {
        let mut items = Items::default();
        let body = b"\x0a\xffsoak-0000000003\x12soak-0000000001soak-00x0000001soak-000";
        record("/v1/logs", body, &mut items);
        let body = b"\x0a3da1f2dc-3222-475e-9205-00000000000a\x0a";
        record("/v1/traces", body, &mut items);
        [1, 3].iter().for_each(|it| items.events.acknowledge(*it));
        items.spans.acknowledge(10);
        assert!(items.events.balance(0).is_balanced());
        assert!(items.spans.balance(0).is_balanced());
    }

    #[test]
    fn a_failing_collector_records_nothing() {
        let items = Arc::new(Mutex::new(Items::default()));
        let collector = Collector::start(&items, Duration::ZERO).unwrap();
        let send = || {
            let mut stream = TcpStream::connect(collector.address).unwrap();
            stream
                .write_all(&http::post("/v1/logs", b"soak-0000000000"))
                .unwrap();
            let mut buffer = [0; 100];
            let read = stream.read(&mut buffer).unwrap();
            http::parse(&buffer[..read]).and_then(|it| it.status())
        };
        collector.enter(CollectorPhase::Failing);
        assert_eq!([send(), send()], [None, Some(503)]);
        lock(&items).events.acknowledge(0);
        assert!(!lock(&items).events.balance(0).is_balanced());
        collector.enter(CollectorPhase::Up);
        assert_eq!(send(), Some(200));
        assert!(lock(&items).events.balance(0).is_balanced());
        assert_eq!(collector.requests(), (3, 2));
    }
}
