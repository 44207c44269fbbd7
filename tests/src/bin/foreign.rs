//! An extension that does not use the framework: plain sockets and no signal handling. It prints what it receives.
//!
//! With `FG_TELEMETRY_PORT` it also subscribes to telemetry, which it prints to standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    // The marker from which `cargo fg dev` reads the script name.
    std::hint::black_box("\x1ffg-extension:name=extensionForeign.sh\x1f");
    let listen = |port| TcpListener::bind(format!("127.0.0.1:{port}"));
    let port = port("FG_EXTENSION_PORT").unwrap_or_default();
    let listener = listen(port)?;

    let mut platform = connect()?;
    write!(
        platform,
        "POST /extension/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\
         FunctionGraph-Extension-Name: extensionForeign.sh\r\n\
         FunctionGraph-Extension-Address: 127.0.0.1:{port}\r\n\r\n"
    )?;
    println!("{}", read(platform)?.1);

    if let Some(port) = crate::port("FG_TELEMETRY_PORT") {
        let listener = listen(port)?;
        subscribe(port)?;
        std::thread::spawn(move || serve_telemetry(&listener));
    }

    for stream in listener.incoming() {
        let stream = stream?;
        let (line, body) = read(stream.try_clone()?)?;
        println!("{line} {body}");
        (&stream).write_all(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\n\r\nshort")?;
    }
    Ok(())
}

fn subscribe(port: u16) -> std::io::Result<()> {
    let body = format!(
        r#"{{"subscriber":{{"protocol":"POST","uri":"http://127.0.0.1:{port}"}},"types":["platform","function"]}}"#
    );
    let mut platform = connect()?;
    write!(
        platform,
        "POST /telemetry HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    println!("{}", read(platform)?.0);
    Ok(())
}

fn serve_telemetry(listener: &TcpListener) -> std::io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        let (line, body) = read(stream.try_clone()?)?;
        eprintln!("{line} {body}");
        (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

fn connect() -> std::io::Result<TcpStream> {
    TcpStream::connect(std::env::var("EXTENSION_API_ADDR").unwrap_or_default())
}

/// Returns the port in a variable, in the form `8081` or `<script>=8081`.
fn port(variable: &str) -> Option<u16> {
    let port = std::env::var(variable).ok()?;
    port.rsplit('=').next()?.parse().ok()
}

/// Returns the first line of an HTTP message and its body.
fn read(stream: TcpStream) -> std::io::Result<(String, String)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or_default(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((
        first.trim_end().to_owned(),
        String::from_utf8_lossy(&body).into_owned(),
    ))
}
