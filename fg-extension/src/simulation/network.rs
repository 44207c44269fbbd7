//! A network in memory. Its types have the names and the methods of those of tokio that the runtime uses.
//!
//! Each thread has a network of its own. Data arrives at once: what arrives late is sent late.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// How many bytes a socket buffers in each direction.
const BUFFER: usize = 64 * 1024;

thread_local! {
    static LISTENERS: RefCell<HashMap<u16, Arc<Mutex<Backlog>>>> = RefCell::default();
    /// How many operations there were on sockets.
    static OPERATIONS: watch::Sender<u64> = watch::Sender::new(0);
    /// How many bytes a single operation reads.
    static MAX_READ: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Waits until there were that many operations on sockets, so that something can happen between any two of them.
pub(super) async fn after_operations(count: u64) {
    let mut operations = OPERATIONS.with(watch::Sender::subscribe);
    let _ = operations.wait_for(|operations| *operations >= count).await;
}

fn count_operation() {
    OPERATIONS.with(|operations| operations.send_modify(|count| *count += 1));
}

/// Sets how many bytes a single operation reads.
pub(super) fn set_max_read(bytes: usize) {
    MAX_READ.set(bytes);
}

/// The connections that a listener has not accepted.
#[derive(Default)]
struct Backlog {
    queue: VecDeque<TcpStream>,
    accepting: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct TcpSocket {
    port: Mutex<u16>,
}

impl TcpSocket {
    pub(crate) fn new_v4() -> io::Result<Self> {
        Ok(Self {
            port: Mutex::default(),
        })
    }

    pub(crate) fn set_reuseaddr(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        let is_free = LISTENERS.with_borrow(|all| !all.contains_key(&address.port()));
        if !is_free {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        *lock(&self.port) = address.port();
        Ok(())
    }

    pub(crate) fn listen(self, _backlog: u32) -> io::Result<TcpListener> {
        let port = *lock(&self.port);
        let backlog = Arc::default();
        LISTENERS.with_borrow_mut(|all| all.insert(port, Arc::clone(&backlog)));
        Ok(TcpListener { port, backlog })
    }
}

pub(crate) struct TcpListener {
    port: u16,
    backlog: Arc<Mutex<Backlog>>,
}

impl TcpListener {
    /// Listens on a port of the platform.
    pub(crate) fn listen(port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, port).into()).unwrap();
        socket.listen(0).unwrap()
    }

    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        count_operation();
        let mut backlog = lock(&self.backlog);
        match backlog.queue.pop_front() {
            Some(stream) => Poll::Ready(Ok((stream, (Ipv4Addr::LOCALHOST, 1).into()))),
            None => {
                backlog.accepting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        LISTENERS.with_borrow_mut(|all| all.remove(&self.port));
        // Resets the connections that were not accepted.
        for stream in lock(&self.backlog).queue.drain(..) {
            stream.reset();
        }
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// Whether the sender has finished.
    has_ended: bool,
    /// Whether the connection was reset.
    is_reset: bool,
    wakers: Vec<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

pub(crate) struct TcpStream {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl TcpStream {
    pub(crate) async fn connect(addresses: &[SocketAddr]) -> io::Result<Self> {
        // A connection is established by the kernel, while other tasks run.
        tokio::task::yield_now().await;
        let port = addresses.first().map_or(0, SocketAddr::port);
        let listener = LISTENERS.with_borrow(|all| all.get(&port).cloned());
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (here, there): (Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>) = Default::default();
        let mut backlog = lock(&listener);
        backlog.queue.push_back(Self {
            incoming: Arc::clone(&here),
            outgoing: Arc::clone(&there),
        });
        if let Some(accepting) = backlog.accepting.take() {
            accepting.wake();
        }
        Ok(Self {
            incoming: there,
            outgoing: here,
        })
    }

    #[expect(clippy::unused_self, reason = "it has the signature of tokio's")]
    pub(crate) fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Closes the sending side.
    pub(crate) fn end(&self) {
        let mut pipe = lock(&self.outgoing);
        pipe.has_ended = true;
        pipe.wake();
    }

    /// Ends the connection with a reset in both directions, which discards what has not been read.
    pub(crate) fn reset(&self) {
        for pipe in [&self.incoming, &self.outgoing] {
            let mut pipe = lock(pipe);
            pipe.is_reset = true;
            pipe.bytes.clear();
            pipe.wake();
        }
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count_operation();
        let mut pipe = lock(&self.incoming);
        if pipe.is_reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if pipe.bytes.is_empty() && !pipe.has_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = buffer.len().min(pipe.bytes.len()).min(MAX_READ.get());
        for (place, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..length)) {
            *place = byte;
        }
        pipe.wake();
        Ok(length)
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        count_operation();
        let mut pipe = lock(&self.outgoing);
        if pipe.is_reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let length = bytes.len().min(BUFFER.saturating_sub(pipe.bytes.len()));
        if length == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend(&bytes[..length]);
        pipe.wake();
        Ok(length)
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut pipe = lock(&self.incoming);
            match pipe.is_reset || pipe.has_ended || !pipe.bytes.is_empty() {
                true => Poll::Ready(Ok(())),
                false => pipe.wait(cx),
            }
        })
        .await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut pipe = lock(&self.outgoing);
            match pipe.is_reset || pipe.bytes.len() < BUFFER {
                true => Poll::Ready(Ok(())),
                false => pipe.wait(cx),
            }
        })
        .await
    }

    pub(crate) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.incoming);
        if pipe.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match pipe.bytes.front() {
            Some(byte) => {
                buffer.put_slice(&[*byte]);
                Poll::Ready(Ok(1))
            }
            None if pipe.has_ended => Poll::Ready(Ok(0)),
            None => pipe.wait(cx),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.try_read(buffer.initialize_unfilled()) {
            Ok(length) => {
                buffer.advance(length);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                lock(&self.incoming).wait(cx)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                lock(&self.outgoing).wait(cx)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        // As in TCP: closing a socket with unread data resets the connection.
        let has_unread = !lock(&self.incoming).bytes.is_empty();
        if has_unread {
            self.reset();
            return;
        }
        let mut outgoing = lock(&self.outgoing);
        outgoing.has_ended = true;
        outgoing.wake();
        drop(outgoing);
        // The connection is reset if the other side sends anything from now on.
        let mut incoming = lock(&self.incoming);
        incoming.is_reset = true;
        incoming.wake();
    }
}
