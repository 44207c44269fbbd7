//! An HTTP function on plain sockets. The path selects its behavior: `/fail`, `/exit`, or a response that repeats the request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8000")?;
    for stream in listener.incoming() {
        serve(stream?)?;
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if reader.read_line(&mut head)? <= 2 {
            break;
        }
        if let Some(("content-length", value)) = head[start..].trim_end().split_once(": ") {
            length = value.parse().unwrap_or_default();
        }
    }
    if head.is_empty() {
        // The platform only connects to find out whether the function listens.
        return Ok(());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match path {
        "/fail" => ("503 Service Unavailable", "out of stock".to_owned()),
        "/exit" => std::process::exit(7),
        _ => ("200 OK", head + &String::from_utf8_lossy(&body)),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
