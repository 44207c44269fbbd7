//! A custom runtime on plain sockets. The payload of an invocation selects its behavior: `fail`, `exit`, `abort`, `leave`
//! (exit after the response), `hang`, `environment`, or success.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn main() -> std::io::Result<()> {
    loop {
        let (id, payload) = send("GET /v1/runtime/invocation/request", "")?;
        println!("{id} got {payload}");
        let (kind, body) = match payload.as_str() {
            "fail" => ("error", r#"{"errorType":"Oh","errorMessage":"no"}"#),
            "exit" => {
                eprintln!("out of stock");
                std::process::exit(7)
            }
            "abort" => std::process::abort(),
            "hang" => loop {
                std::thread::park();
            },
            "environment" => ("response", environment().leak() as &str),
            _ => ("response", "done"),
        };
        send(&format!("POST /v1/runtime/invocation/{kind}/{id}"), body)?;
        if payload == "leave" {
            return Ok(());
        }
    }
}

/// Returns the variables of the platform, one a line.
fn environment() -> String {
    let mut variables: Vec<_> = std::env::vars()
        .filter(|(name, _)| name.starts_with("RUNTIME_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    variables.sort();
    variables.join("\n")
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
