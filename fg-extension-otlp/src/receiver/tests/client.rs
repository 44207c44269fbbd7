//! A client that sends exactly the bytes that a test wants.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::TEST_TIMEOUT;

/// A connection.
pub(super) struct Client(TcpStream);

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The header in lower case.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpStream::connect(address).await?))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Posts a body, and reads the response.
    pub(super) async fn post(&mut self, path: &str, headers: &[&str], body: &[u8]) -> Reply {
        self.send(&head("POST", path, headers, body.len())).await;
        // A request that is too large is rejected before it has been sent.
        let _ = self.0.write_all(body).await;
        self.reply().await
    }

    pub(super) async fn reply(&mut self) -> Reply {
        let reply = self.read_reply();
        let reply = tokio::time::timeout(TEST_TIMEOUT, reply).await;
        reply.unwrap().expect("the connection was closed")
    }

    /// Waits until the server reads the body.
    pub(super) async fn read_continue(&mut self) {
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut head = vec![0; expected.len()];
        let read = self.0.read_exact(&mut head);
        let read = tokio::time::timeout(TEST_TIMEOUT, read).await;
        read.unwrap().unwrap();
        assert_eq!(head, expected);
    }

    /// Reads a response. Returns `None` if the connection is closed.
    pub(super) async fn read_reply(&mut self) -> Option<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let length = head.split_once("content-length: ").unwrap().1;
        let length = length.split_once('\r').unwrap().0.parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Some(Reply { status, head, body })
    }
}

/// Returns the header of a request.
pub(super) fn head(method: &str, path: &str, headers: &[&str], length: usize) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n")
        .into()
}
