//! Tests with servers that write raw bytes: unusual forms of HTTP, and ports that do not speak HTTP/1.1.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::collector::Collector;
use super::*;

/// Starts a server that reads a request on each connection, writes this response, and closes the connection. It returns
/// after this number of requests.
async fn server(response: &'static [u8], requests: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The body has no compression, so it ends with the name of the span.
            while !request.ends_with(b"span") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(response).await.unwrap();
        }
    };
    (address, tokio::spawn(serve))
}

/// Sends a span, and returns the error of the shutdown.
async fn send(address: SocketAddr, variables: &[(&str, &str)]) -> Option<String> {
    let mut all = variables.to_vec();
    all.extend([
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("FG_OTLP_FLUSH_TIMEOUT", "0"),
    ]);
    let exporter = exporter(address, &all);
    exporter.enqueue(spans(&["span"]), Vec::new());
    let result = exporter.shutdown().await;
    result.err().map(|error| error.to_string())
}

#[tokio::test]
async fn unusual_responses_are_understood() {
    for response in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ] {
        let (address, served) = server(response, 1).await;
        assert_eq!(send(address, &[]).await, None, "{response:?}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn closed_connection_is_not_used_again() {
    let response = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (address, served) = server(response, 2).await;
    let exporter = exporter(address, &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")]);
    for _ in 0..2 {
        exporter.enqueue(spans(&["span"]), Vec::new());
        exporter.flush_for_invocation().await;
    }
    served.await.unwrap();
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(2, 0));
}

#[tokio::test]
async fn port_that_does_not_speak_http_has_a_hint() {
    let hint = "the port does not speak HTTP/1.1; write `https://` if it uses TLS, \
                or the port for OTLP over HTTP, usually 4318, if it is for gRPC";
    for response in [
        // The settings frame of HTTP/2, and a TLS alert.
        &b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0"[..],
        b"\x15\x03\x01\0\x02\x02\x46",
    ] {
        let (address, _) = server(response, usize::MAX).await;
        let error = send(address, &[]).await.unwrap();
        assert!(error.contains(hint), "{error}");
    }
}

#[tokio::test]
async fn port_that_never_responds_has_a_hint() {
    let (address, _) = server(b"", usize::MAX).await;
    let error = send(address, &[]).await.unwrap();
    assert!(
        error.contains("; write `https://` if the port uses TLS, or the port for OTLP over HTTP"),
        "{error}"
    );
}

#[tokio::test]
async fn port_without_tls_has_a_hint() {
    let plain = Collector::start().await;
    let endpoint = format!("https://{}", plain.address);
    let error = send(plain.address, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let error = error.unwrap();
    assert!(
        error.contains("the port does not seem to use TLS; write `http://` if that is intended"),
        "{error}"
    );
}

#[tokio::test]
async fn port_of_grpc_has_a_hint() {
    let (_socket, address) = reserve_address();
    let endpoint = "http://127.0.0.2:4317";
    let error = send(address, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]).await;
    let error = error.unwrap();
    assert!(
        error.contains("port 4317 is usually for gRPC, which is not supported; write the port"),
        "{error}"
    );
}
