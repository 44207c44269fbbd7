//! Registers and serves HTTP/1.1 on the sockets of the standard library, with one thread per connection and no more
//! of HTTP than the benchmarks need.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread};

pub const PORT: u16 = 8081;

/// Sends one POST request to the platform, and returns whether the status is 200.
pub fn post(path: &str, headers: &str, body: &str) -> io::Result<bool> {
    let platform = env::var("EXTENSION_API_ADDR").map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(&platform)?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {platform}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response.starts_with("HTTP/1.1 200 "))
}

/// Binds the port, registers under the script name, and calls `start`; then serves requests with `handle`, which
/// appends the body of the response.
pub fn run(
    name: &str,
    start: fn() -> io::Result<()>,
    handle: fn(&[u8], &mut String),
) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", PORT))?;
    let headers = format!(
        "functiongraph-extension-name: {name}\r\nfunctiongraph-extension-address: 127.0.0.1:{PORT}\r\n"
    );
    if !post("/extension/register", &headers, "")? {
        return Err(io::Error::other("the platform rejected the registration"));
    }
    start()?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || serve(stream, handle));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, handle: fn(&[u8], &mut String)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    let (mut body, mut response) = (String::new(), String::new());
    loop {
        let head = loop {
            if let Some(end) = find(&buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
            if filled == buffer.len() {
                return Err(io::Error::other("the head is too long"));
            }
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let end = head + content_length(&buffer[..head]).ok_or(io::ErrorKind::InvalidData)?;
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        while filled < end {
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        }
        body.clear();
        response.clear();
        handle(&buffer[head..end], &mut body);
        let length = body.len();
        let _ = write!(
            response,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(response.as_bytes())?;
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|it| it == wanted)
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}
