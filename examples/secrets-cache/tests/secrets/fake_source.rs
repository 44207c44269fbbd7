//! An HTTP source that fails, hangs and rotates when the test says so.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the source does with a request.
#[derive(Clone)]
pub(crate) enum Behavior {
    Value(&'static str),
    Status(&'static str),
    Hang,
}

pub(crate) struct FakeSource {
    pub(crate) address: SocketAddr,
    behavior: Arc<Mutex<Behavior>>,
    // Stops the server when dropped.
    _server: JoinSet<()>,
}

impl FakeSource {
    pub(crate) async fn start(behavior: Behavior) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let behavior = Arc::new(Mutex::new(behavior));
        let mut server = JoinSet::new();
        let address = listener.local_addr()?;
        server.spawn(serve(listener, Arc::clone(&behavior)));
        Ok(Self {
            address,
            behavior,
            _server: server,
        })
    }

    pub(crate) fn set(&self, behavior: Behavior) {
        *self.behavior.lock().expect("no test panics with the lock") = behavior;
    }
}

async fn serve(listener: TcpListener, behavior: Arc<Mutex<Behavior>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let behavior = behavior
            .lock()
            .expect("no test panics with the lock")
            .clone();
        connections.spawn(respond(stream, behavior));
    }
}

/// Reads the head of a request, and responds to it. A client that disconnects is none of the test's concern.
async fn respond(stream: TcpStream, behavior: Behavior) {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream
        .read_line(&mut line)
        .await
        .is_ok_and(|length| length > 2)
    {
        line.clear();
    }
    let response = match behavior {
        Behavior::Value(value) => {
            let length = value.len();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{value}")
        }
        Behavior::Status(status) => format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"),
        Behavior::Hang => pending().await,
    };
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.flush().await;
}
