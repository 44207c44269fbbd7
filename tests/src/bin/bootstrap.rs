//! A custom runtime on plain sockets. The payload of an invocation selects its behavior: `fail`, `exit`, or success.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn main() -> std::io::Result<()> {
    loop {
        let (id, payload) = send("GET /v1/runtime/invocation/request", "")?;
        println!("{id} got {payload}");
        let (kind, body) = match payload.as_str() {
            "fail" => ("error", r#"{"errorType":"Oh","errorMessage":"no"}"#),
            "exit" => std::process::exit(7),
            _ => ("response", "done"),
        };
        send(&format!("POST /v1/runtime/invocation/{kind}/{id}"), body)?;
    }
}

/// Sends a request and returns the request ID and the body of the response.
fn send(line: &str, body: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(std::env::var("RUNTIME_API_ADDR").unwrap_or_default())?;
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ")
            && name.eq_ignore_ascii_case("x-cff-request-id")
        {
            value.clone_into(&mut id);
        }
        line.clear();
    }
    let mut body = String::new();
    reader.read_to_string(&mut body)?;
    Ok((id, body))
}
