//! One connection: what it is doing, and how long it may take to send a request.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, server};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::response::HttpResponse;
use crate::lifecycle::witness::{Timer, timer};
use crate::lifecycle::{Lifecycle, Phase};
use crate::net::TcpStream;

/// The maximum time for a header, from its first byte, and between two parts of a body.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// After so many of these times, a body must be complete. Otherwise a client that sends a byte now and then would use up
/// the memory for large bodies.
const MAX_READ_PERIODS: u32 = 6;

/// The maximum time for the rest of a request that has begun to arrive when the shutdown starts. The rest may be one
/// packet behind.
const READ_TIMEOUT_IN_SHUTDOWN: Duration = Duration::from_millis(150);

/// How long a client may wait for its response after it has shut down its sending side. It looks like a client that has
/// closed the connection, which is released after this time.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum size of a header, and of a part of a body.
///
/// Each connection keeps a buffer of up to this size. A batch of a hundred events fits.
pub(super) const MAX_BUFFER: usize = 20 * 1024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Nothing has been read yet. A request may have arrived.
    Accepted,
    /// Nothing has ever arrived.
    New,
    /// A request has been responded to.
    Idle,
    /// A part of a header has arrived.
    Header,
    /// A header has arrived, and the body is being read.
    Body,
    /// A whole request has arrived.
    Handling,
}

/// The [rank](ConnectionState::rank) of an idle connection. Lower ranks are those of connections that have not served any
/// request yet.
pub(super) const RANK_OF_IDLE: u8 = 3;

/// What the task of a connection, its socket and its request know about each other.
pub(crate) struct ConnectionState {
    stage: AtomicU8,
    /// Changes when a header begins, and when a part of a body arrives.
    progress: AtomicU32,
    has_served: AtomicBool,
    /// Whether the client has closed the connection, or its sending side, while a request was being handled.
    has_ended: AtomicBool,
}

impl ConnectionState {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: AtomicU8::new(Stage::Accepted as u8),
            progress: AtomicU32::new(0),
            has_served: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        })
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    fn is(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) == stage as u8
    }

    fn progress(&self) -> u32 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Returns how much the client loses if the connection is closed now: the lower, the less. Returns `None` if it must
    /// not be closed.
    pub(super) fn rank(&self) -> Option<u8> {
        let order = [Stage::New, Stage::Header, Stage::Body, Stage::Idle];
        let (rank, _) = (0..).zip(order).find(|(_, stage)| self.is(*stage))?;
        // A client that has sent a valid request before is more likely to complete another.
        let has_served = self.has_served.load(Ordering::Relaxed);
        Some(match has_served && rank < RANK_OF_IDLE {
            true => rank + RANK_OF_IDLE + 1,
            false => rank,
        })
    }

    /// Records that bytes have arrived.
    fn received(&self) {
        if self.is(Stage::Header) {
            return;
        }
        if !self.is(Stage::Body) && !self.is(Stage::Handling) {
            self.enter(Stage::Header);
        }
        self.progress.fetch_add(1, Ordering::Relaxed);
    }
}

/// Serves a connection until the client closes it, until it takes too long to send a request, or until the lifecycle
/// drains and the current request is finished.
pub(super) async fn serve_connection<F: Future<Output = HttpResponse>>(
    stream: TcpStream,
    state: &Arc<ConnectionState>,
    lifecycle: &Lifecycle,
    respond: impl Fn(Request<Incoming>, Arc<ConnectionState>) -> F + Send,
) {
    // Without this, Nagle's algorithm would delay a small response until the previous one is acknowledged.
    let _ = stream.set_nodelay(true);
    let socket = Socket {
        stream,
        state: Arc::clone(state),
    };
    let service = service_fn(|request| {
        state.enter(Stage::Body);
        let response = respond(request, Arc::clone(state));
        async move {
            let response = response.await;
            state.enter(Stage::Idle);
            if response.status() == StatusCode::OK {
                state.has_served.store(true, Ordering::Relaxed);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        server::conn::http1::Builder::new()
            // Otherwise hyper would read while a request is being handled, for which it would allocate another buffer.
            .half_close(true)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(socket), service)
    );
    let mut draining = pin!(lifecycle.reached(Phase::Draining));
    let mut is_draining = false;
    // It is rarely needed: nearly every request arrives whole.
    let mut read_timer: Option<ReadTimer> = None;
    let mut half_closed: Option<Timer> = None;
    let served = poll_fn(|cx| {
        // The connection is polled first, so that a request that has already arrived when the shutdown starts is served.
        if let Poll::Ready(served) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(served));
        }
        if state.is(Stage::Accepted) {
            state.enter(Stage::New);
        }
        if !is_draining && draining.as_mut().poll(cx).is_ready() {
            is_draining = true;
            connection.as_mut().graceful_shutdown();
            read_timer = Some(ReadTimer::new(READ_TIMEOUT_IN_SHUTDOWN, state));
            if let Poll::Ready(served) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(served));
            }
        }
        if state.is(Stage::Handling) && state.has_ended.load(Ordering::Relaxed) {
            let timeout = half_closed.get_or_insert_with(|| timer(HALF_CLOSED_TIMEOUT));
            ready!(timeout.as_mut().poll(cx));
            return Poll::Ready(None);
        }
        let is_waiting_for_request = if is_draining {
            !state.is(Stage::Handling)
        } else {
            state.is(Stage::Header) || state.is(Stage::Body)
        };
        if !is_waiting_for_request && !is_draining {
            read_timer = None;
            return Poll::Pending;
        }
        loop {
            let timer = read_timer.get_or_insert_with(|| ReadTimer::new(READ_TIMEOUT, state));
            ready!(timer.timeout.as_mut().poll(cx));
            let has_progress = timer.progress != state.progress();
            if is_waiting_for_request
                && (is_draining || !has_progress || timer.periods == MAX_READ_PERIODS)
            {
                return Poll::Ready(None);
            }
            timer.restart(READ_TIMEOUT, state);
            if is_draining {
                return Poll::Pending;
            }
        }
    });
    // A connection that failed was broken by its client.
    let _ = served.await;
}

/// Limits the time for a request that has begun to arrive.
struct ReadTimer {
    timeout: Timer,
    /// The progress of the connection when the current period started.
    progress: u32,
    /// How many periods there have been for this request.
    periods: u32,
}

impl ReadTimer {
    fn new(limit: Duration, state: &ConnectionState) -> Self {
        Self {
            timeout: timer(limit),
            progress: state.progress(),
            periods: 1,
        }
    }

    fn restart(&mut self, limit: Duration, state: &ConnectionState) {
        let periods = self.periods + 1;
        *self = Self::new(limit, state);
        self.periods = periods;
    }
}

/// The socket of a connection, which records when something arrives, and when the stream ends.
struct Socket {
    stream: TcpStream,
    state: Arc<ConnectionState>,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.state.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever it is polled, but it does not read while a request is being handled.
        if self.state.is(Stage::Handling)
            && let Poll::Ready(Ok(0) | Err(_)) =
                self.stream.poll_peek(cx, &mut ReadBuf::new(&mut [0]))
        {
            self.state.has_ended.store(true, Ordering::Relaxed);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
