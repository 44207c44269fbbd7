//! [`Load`]: clients that post events until SIGTERM, and know which of their requests were sent completely.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::cases::invocation::{INVOKE_PATH, event};

/// How many clients post events, each event on a new connection: no more than the threads of common servers, because some of
/// them drop at SIGTERM what waits in their queues.
const CLIENTS: usize = 4;
/// How many responses to wait for before SIGTERM, and how long.
const RESPONSES: usize = 16;
const RESPONSES_WITHIN: Duration = Duration::from_secs(1);
/// How long a response may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a response without a line break is read.
const MAX_STATUS_LINE: usize = 8 * 1024;
/// The pause between two looks at the number of responses.
const POLL_EVERY: Duration = Duration::from_millis(2);

/// Clients that post one event after another.
pub(super) struct Load {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

/// The state that the clients share.
#[derive(Default)]
struct Shared {
    /// Whether no further events are posted.
    finish: AtomicBool,
    requests: Mutex<Requests>,
}

/// The requests so far. Each has its own connection, so the port of the client identifies it.
#[derive(Default)]
struct Requests {
    /// Those that were sent completely.
    sent: BTreeSet<u16>,
    /// The status of each response, or why there is none.
    responses: BTreeMap<u16, Result<u16, String>>,
}

/// What became of the requests in flight.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// How many requests were in flight.
    pub(super) in_flight: usize,
    /// How many of them had no response.
    pub(super) lost: usize,
    /// Why one of them had no response.
    pub(super) error: Option<String>,
    /// A status other than 200.
    pub(super) bad_status: Option<u16>,
}

impl Responses {
    /// Adds those of another boot.
    pub(super) fn add(&mut self, other: Self) {
        self.in_flight += other.in_flight;
        self.lost += other.lost;
        self.error = other.error.or(self.error.take());
        self.bad_status = other.bad_status.or(self.bad_status);
    }
}

impl Load {
    pub(super) fn start(address: SocketAddr) -> Self {
        let (mut tasks, shared) = (JoinSet::new(), Arc::<Shared>::default());
        for _ in 0..CLIENTS {
            tasks.spawn(post_events(address, Arc::clone(&shared)));
        }
        Self { tasks, shared }
    }

    /// Waits until some events have a response, for a moment at most: a slow handler may not respond yet.
    pub(super) async fn wait_for_responses(&self) {
        let start = Instant::now();
        while self.shared.requests().responses.len() < RESPONSES
            && start.elapsed() < RESPONSES_WITHIN
        {
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Returns those clients whose requests were sent completely, and that have no response yet.
    pub(super) fn in_flight(&self, received: &BTreeSet<u16>) -> BTreeSet<u16> {
        let requests = self.shared.requests();
        let sent = requests.sent.intersection(received).copied();
        sent.filter(|client| !requests.responses.contains_key(client))
            .collect()
    }

    /// Stops posting further events.
    pub(super) fn finish(&self) {
        self.shared.finish.store(true, Ordering::SeqCst);
    }

    /// Returns what became of the requests of these clients.
    pub(super) async fn responses(self, in_flight: &BTreeSet<u16>) -> Responses {
        self.tasks.join_all().await;
        let requests = self.shared.requests();
        let mut responses = Responses::default();
        for client in in_flight {
            responses.in_flight += 1;
            match requests.responses.get(client) {
                Some(Ok(200)) => {}
                Some(Ok(status)) => responses.bad_status = Some(*status),
                Some(Err(error)) => {
                    responses.lost += 1;
                    responses.error = Some(error.clone());
                }
                None => {}
            }
        }
        responses
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Posts events until no further ones are to be posted, or until the extension accepts no more connections.
async fn post_events(address: SocketAddr, shared: Arc<Shared>) {
    while !shared.finish.load(Ordering::SeqCst) {
        let connected = timeout(RESPONSE_TIMEOUT, TcpStream::connect(address)).await;
        let Ok(Ok(stream)) = connected else { return };
        let Ok(client) = stream.local_addr() else {
            return;
        };
        let client = client.port();
        let response = timeout(RESPONSE_TIMEOUT, exchange(&stream, client, &shared)).await;
        let response =
            response.unwrap_or_else(|_| Err(format!("no response within {RESPONSE_TIMEOUT:?}")));
        shared.requests().responses.insert(client, response);
    }
}

/// Sends an event, and reads the status of the response. An HTTP library does not say when the request is in the socket.
async fn exchange(stream: &TcpStream, client: u16, shared: &Shared) -> Result<u16, String> {
    let (event, peer) = (
        event(),
        stream.peer_addr().map_err(|error| error.to_string())?,
    );
    let request = format!(
        "POST {INVOKE_PATH} HTTP/1.1\r\nHost: {peer}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        stream.writable().await.map_err(|error| error.to_string())?;
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    shared.requests().sent.insert(client);
    // The status line is enough: `HTTP/1.1 200 OK`.
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < MAX_STATUS_LINE {
        stream.readable().await.map_err(|error| error.to_string())?;
        let mut part = [0; 1024];
        match stream.try_read(&mut part) {
            Ok(0) => return Err("connection closed without a response".to_owned()),
            Ok(read) => head.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| "not an HTTP response".to_owned())
}
