//! No value of an environment variable, a header, a path, or a body appears in the report or in the output.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use fg_emulator::PortLease;

use super::{PROGRAM, SCRIPT};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Makes secrets, and remembers them.
struct Secrets {
    random: fastrand::Rng,
    made: Vec<String>,
}

impl Secrets {
    /// Returns a secret of a random form, and remembers the part of it that must not appear.
    fn next(&mut self) -> String {
        let random = &mut self.random;
        // With a capital letter, since a plain word in a path is shown.
        let core: String = (0..10)
            .map(|_| random.alphanumeric())
            .chain(['Q'])
            .collect();
        let secret = match random.u8(..9) {
            0 => format!("Bearer {core}"),
            1 => format!("https://user:{core}@host.example/{core}?k={core}"),
            2 => format!("{core}.internal:80"),
            3 => format!("urn:{core}:sn:function:{core}@{core}:!{core}"),
            4 => format!("2026-11-27T14:25:20.936Z Start invoke request '{core}' {core}"),
            5 => format!("2026-11-27T14:25:20.936Z {core} INFO {core}"),
            6 => format!("/home/{core}/x:/{core}"),
            7 => format!("success {core}"),
            _ => core.clone(),
        };
        self.made.push(core);
        secret
    }

    fn json(&mut self) -> String {
        let (a, b, c) = (self.next(), self.next(), self.next());
        let name = format!("{} {}", self.next(), self.random.u32(..));
        format!(
            r#"{{"traceId": "{a}", "invokedFunctionUrn": "{b}", "name": "platform.{c}", "status": "{c}", "{name}": ["{a}", {{"{name}": 1.5}}],
            "type": "{c}", "metrics": {{"{name}": 1}}, "record": {{"message": "{b}", "time": "{c}"}}, "startTime": "{a}", "errorInfo": {{"detail": "{a}"}}}}"#
        )
    }
}

/// A process that is killed when the test ends.
struct Probe(Child);

impl Drop for Probe {
    fn drop(&mut self) {
        // It has exited already unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Responds to the next request on the platform's side, and returns its head.
fn respond(platform: &TcpListener, secrets: &mut Secrets) -> io::Result<String> {
    let (stream, _) = platform.accept()?;
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = secrets.json();
    let (header, status) = (secrets.next(), secrets.next());
    let text = format!(
        "HTTP/1.1 200 {status}\r\nX-Secret: {header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    reader.into_inner().write_all(text.as_bytes())?;
    Ok(head)
}

/// Sends a request, and returns the whole response.
fn send(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

fn request(secrets: &mut Secrets, line: &str, body: &str) -> String {
    let (one, two, cookie) = (secrets.next(), secrets.next(), secrets.next());
    format!(
        "{line} HTTP/1.1\r\nHost: {one}\r\nX-Request-Id: {two}\r\nCookie: {cookie}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn no_value_is_reported() -> TestResult {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut secrets = Secrets {
        random: fastrand::Rng::with_seed(seed),
        made: Vec::new(),
    };
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("report.md");
    let (events, telemetry) = PortLease::acquire_pair()?;
    let platform = TcpListener::bind("127.0.0.1:0")?;
    let mut command = Command::new(PROGRAM);
    command
        .env("EXTENSION_API_ADDR", platform.local_addr()?.to_string())
        .env("FG_EXTENSION_PORT", format!("{SCRIPT}={}", events.port()))
        .env(
            "FG_TELEMETRY_PORT",
            format!("{SCRIPT}={}", telemetry.port()),
        )
        .env("PROBE_REPORT", &file)
        .env("RUNTIME_USERDATA", secrets.json())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for number in 0..20 {
        command.env(format!("SECRET_{number}"), secrets.next());
        command.env(format!("x {}", secrets.next()), "1");
    }
    let mut probe = Probe(command.spawn()?);
    assert!(respond(&platform, &mut secrets)?.starts_with("POST /extension/register "));
    assert!(respond(&platform, &mut secrets)?.starts_with("POST /telemetry "));

    for _ in 0..40 {
        let body = secrets.json();
        let invocation = request(&mut secrets, "POST /extension/invoke", &body);
        assert!(send(events.port(), &invocation)?.starts_with("HTTP/1.1 200 "));
        let batch = format!("[{body}, \"{}\", [{}],]", secrets.next(), secrets.json());
        let batch = request(&mut secrets, "POST /", &batch);
        assert!(send(telemetry.port(), &batch)?.starts_with("HTTP/1.1 200 "));
        let path = format!(
            "{} /a/{}-7?q={}",
            "POST",
            secrets.next().replace(' ', "_"),
            secrets.next().replace(' ', "_")
        );
        let other = secrets.next();
        let other = request(&mut secrets, &path, &other);
        assert!(send(events.port(), &other)?.starts_with("HTTP/1.1 200 "));
        let mark = secrets.next();
        let mark = request(&mut secrets, "POST /probe/finished", &mark);
        assert!(send(events.port(), &mark)?.starts_with("HTTP/1.1 200 "));
        // Not HTTP.
        send(events.port(), &format!("{}\r\n\r\n", secrets.next()))?;
    }
    let shutdown = request(&mut secrets, "POST /extension/shutdown", "");
    assert!(send(events.port(), &shutdown)?.starts_with("HTTP/1.1 200 "));

    let (mut stdout, mut stderr) = (String::new(), String::new());
    probe
        .0
        .stdout
        .take()
        .ok_or("no stdout")?
        .read_to_string(&mut stdout)?;
    probe
        .0
        .stderr
        .take()
        .ok_or("no stderr")?
        .read_to_string(&mut stderr)?;
    assert!(probe.0.wait()?.success(), "{stderr}");
    let report = std::fs::read_to_string(&file)?;
    // It has seen all of them.
    for seen in [
        "X-Request-Id: text",
        "SECRET_1: ",
        "(name of ",
        "shutdown",
        "trailing commas",
    ] {
        assert!(report.contains(seen), "{seen} in\n{report}");
    }
    assert_eq!(stderr, "platform-probe: this line is on stderr\n");
    for secret in &secrets.made {
        for text in [&report, &stdout] {
            assert!(!text.contains(secret.as_str()), "{secret} in\n{text}");
        }
    }
    Ok(())
}
