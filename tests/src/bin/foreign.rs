//! An extension that is not ours: plain sockets, and no idea of signals. It prints what the platform says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let ports = variable("FG_EXTENSION_PORT");
    let port = ports.rsplit('=').next().unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;

    let mut platform = TcpStream::connect(variable("EXTENSION_API_ADDR"))?;
    write!(
        platform,
        "POST /extension/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\
         FunctionGraph-Extension-Name: extensionForeign.sh\r\n\
         FunctionGraph-Extension-Address: 127.0.0.1:{port}\r\n\r\n"
    )?;
    println!("{}", read(platform)?.1);

    for stream in listener.incoming() {
        let stream = stream?;
        let (line, body) = read(stream.try_clone()?)?;
        println!("{line} {body}");
        (&stream).write_all(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\n\r\nshort")?;
    }
    Ok(())
}

/// The first line of a message, and its body.
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
