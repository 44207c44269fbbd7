//! How it ends when something is wrong.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;

use super::running::{Place, Running, lines, rests, stderr};

#[test]
fn port_taken_names_its_holder() {
    let place = Place::new();
    let _holder = TcpListener::bind(("127.0.0.1", place.lease.port())).unwrap();
    let held = format!(
        "port {} is held by {} (pid {})\n",
        place.lease.port(),
        std::fs::read_to_string("/proc/self/comm").unwrap().trim(),
        std::process::id()
    );
    let hello = place.fg(&["dev", "-p", "hello", "--invocations", "1"]);
    // Which says that an address is in use, and not which one.
    let python = place.python(&["--invocations", "1"]);
    for (mut command, script) in [
        (hello, "extensionHello.sh"),
        (python, "extensionNightWatch.sh"),
    ] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = stderr(&output);
        let begins = format!("error: {script} ended with exit status: 1 before it registered; ");
        let last = told.lines().last().unwrap().to_owned() + "\n";
        assert!(
            last.starts_with(&begins) && last.contains(held.trim()),
            "{told}"
        );
        assert_eq!(told.matches("before it registered").count(), 1, "{told}");
    }
}

#[test]
fn extension_that_dies_is_told_once() {
    let place = Place::new();
    let output = place
        .python(&["--invocations", "2", "--interval", "1h"])
        .env("FAULT", "dies")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(
        rests(&lines, "ended "),
        ["extensionNightWatch.sh by itself, exit status: 3"],
        "{lines:#?}"
    );
    assert_eq!(
        stderr(&output),
        "error: extensionNightWatch.sh ended before it was asked to\n"
    );
}

#[test]
fn what_had_booted_ends_in_order_when_the_rest_does_not() {
    let place = Place::new();
    let output = place
        .python(&["--invocations", "1", "--also", "extensionOther.sh=false"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let stopped = rests(&lines, "stopped extensionNightWatch.sh in ");
    assert!(stopped[0].ends_with(", exit status: 0"), "{lines:#?}");
    assert_eq!(
        stderr(&output),
        "error: extensionOther.sh ended with exit status: 1 before it registered\n"
    );
}

#[test]
fn invocation_that_broke_it_is_told() {
    let place = Place::new();
    let output = place
        .python(&["--invocations", "1"])
        .env("FAULT", "dies")
        .output()
        .unwrap();
    let lines = lines(&output);
    let invoked = rests(&lines, "invoked #1 ");
    assert!(
        invoked.len() == 1 && invoked[0].contains(" failed in "),
        "{lines:#?}"
    );
}

#[test]
fn what_is_not_answered_with_200_is_a_failure() {
    let place = Place::new();
    let output = place
        .python(&["--invocations", "2"])
        .env("FAULT", "handler-fails")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    for line in rests(&lines, "invoked #") {
        assert!(
            line.contains(" 500 in ")
                && line.ends_with(r#" ms: {"error": "the vault\nis sealed"}"#),
            "{line}"
        );
    }
    assert_eq!(stderr(&output), "error: 2 of 2 invocations failed\n");
}

#[test]
fn killed_it_leaves_no_extension() {
    let place = Place::new();
    let mut dev = Running::start(place.python(&[]));
    dev.line("registered ");
    // It ends with the process at its other end.
    let mut connection = TcpStream::connect(("127.0.0.1", place.lease.port())).unwrap();
    dev.signal(Signal::SIGKILL);
    assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)));
    assert!(!dev.end().1.success());
}
