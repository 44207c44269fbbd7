//! A fake OTLP collector, which accepts everything and keeps the bodies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A collector that runs until the test process exits.
pub(crate) struct Collector {
    address: SocketAddr,
    /// The path and the body of each request.
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let received = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, received) = (stream.unwrap(), Arc::clone(&received));
                thread::spawn(move || serve(&stream, &received));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the bodies that were posted to the path. Texts in them are readable.
    pub(crate) fn received(&self, path: &str) -> String {
        let requests = self.requests.lock().unwrap();
        let bodies = requests.iter().filter(|(it, _)| it == path);
        bodies.map(|(_, body)| body.as_str()).collect()
    }
}

fn serve(stream: &TcpStream, requests: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        let path = line.split(' ').nth(1).unwrap().to_owned();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        line.clear();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        requests.lock().unwrap().push((path, body));
        let mut stream = stream;
        let response = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(response.as_bytes()).unwrap();
    }
}
