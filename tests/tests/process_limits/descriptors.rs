//! RLIMIT_NOFILE: too low to start, just enough, used up by clients, and recovery.

use std::time::{Duration, Instant};

use fg_extension_tests::{
    Client, ExitedProcess, Extension, ScriptedPlatform, ScriptedResponse, Start, event, request,
};
use nix::sys::signal::Signal;

use super::ledger::Ledger;
use super::{INVOKE, LEDGER, boot, invoke, wait_until_initialized};

/// Asserts that the extension failed to start, and that its last line says why.
#[track_caller]
fn assert_clear_failure(exited: &ExitedProcess, limit: usize) {
    assert_eq!(exited.code, Some(1), "{limit}: {exited:?}");
    let last = exited.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("ERROR extensionLedger.sh: ")
            && last.contains("Too many open files")
            && !exited.stderr.contains("panicked"),
        "{limit}: {exited:?}"
    );
}

/// With any number of descriptors, an extension either does not start, or shuts down cleanly. It says what is missing, or
/// it does everything.
#[test]
fn each_limit_is_either_too_low_and_reported_or_high_enough() {
    // The framework needs up to 16, and some are for connections.
    const ENOUGH: usize = 20;
    let mut least = None;
    // The shell itself needs some to start the program.
    for limit in 5..=ENOUGH + 4 {
        let ledger = Ledger::new();
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let start = Start::by_script(LEDGER, &format!("ulimit -n {limit}; exec \"$0\""))
            .env("LEDGER", ledger.file())
            // Below, attempts may fail until the time is up. Above, only a slow machine needs it.
            .env(
                "FG_REGISTER_TIMEOUT",
                if limit < ENOUGH { "1s" } else { "10s" },
            )
            .with(&platform);
        let port = start.port();
        let mut extension = start.start();
        // `init` opens the file. A signal that arrives earlier would end the process.
        wait_until_initialized(&mut extension, &ledger);
        if extension.has_exited() {
            let exited = extension.wait();
            assert!(limit < ENOUGH, "{limit}: {exited:?}");
            assert_clear_failure(&exited, limit);
            continue;
        }
        let batch = ledger.batch(3, 10);
        let mut client = Client::connect(port);
        client.send(request("POST", "/", &batch.body));
        let mut exited = None;
        let mut extension = Some(extension);
        if limit >= ENOUGH {
            let extension = extension.as_ref().expect("it runs");
            assert_eq!(invoke(extension, "1"), 200, "{limit}");
            // Others that keep their connections open do not change that.
            let idle: Vec<_> = (0..limit).map(|_| Client::connect(port)).collect();
            assert_eq!(invoke(extension, "1"), 200, "{limit}");
            assert_eq!(ledger.post(port, 3), 200, "{limit}");
            drop(idle);
        } else {
            // The connection may wait in vain until the shutdown.
            exited = extension.take().map(Extension::terminate);
        }
        let status = client.try_receive().map(|response| response.status);
        if let Some(status) = status {
            ledger.settle(&batch, status);
        }
        let exited = exited.or(extension.map(Extension::terminate));
        let exited = exited.expect("it was started");
        assert_eq!(ledger.assert_balanced(&exited).lost, 0, "{limit}");
        let works = status == Some(200);
        let is_reported = exited.stderr.contains("Too many open files");
        assert!(works || is_reported, "{limit}: {exited:?}");
        assert!(works || limit < ENOUGH, "{limit}: {exited:?}");
        if works {
            least = least.or(Some(limit));
        }
    }
    assert!(least.is_some_and(|limit| limit < ENOUGH), "{least:?}");
}

/// Sends an invocation and a batch over connections that exist, and over new ones.
#[track_caller]
fn assert_served(extension: &Extension, ledger: &Ledger, old: &mut [Client; 2]) {
    let response = old[0].send(request("POST", INVOKE, event("1"))).receive();
    assert_eq!(response.status, 200);
    let batch = ledger.batch(3, 10);
    assert_eq!(ledger.post_over(&mut old[1], &batch), 200);
    assert_eq!(invoke(extension, "1"), 200);
    assert_eq!(ledger.post(extension.port(), 3), 200);
}

/// Clients use up all descriptors, with connections of every kind. The platform is served, and when they leave, their
/// descriptors are free.
#[test]
fn clients_that_use_up_the_descriptors_lock_nobody_out_and_leave_nothing_behind() {
    let ledger = Ledger::new();
    let start =
        Start::by_script(LEDGER, "ulimit -n 64; exec \"$0\"").env("FG_SHUTDOWN_TIMEOUT", "15s");
    let extension = boot(start, &ledger);
    let port = extension.port();
    assert_eq!(invoke(&extension, "1"), 200);
    assert_eq!(ledger.post(port, 3), 200);
    let mut acknowledged = 3;
    for _ in 0..2 {
        let mut platform = [Client::connect(port), Client::connect(port)];
        assert_served(&extension, &ledger, &mut platform);
        acknowledged += 6;
        let mut clients = Vec::new();
        for text in [
            "",
            "POST /extension/invoke HTTP/1.1\r\nHost:",
            "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n[",
        ] {
            for _ in 0..70 {
                let mut client = Client::connect(port);
                // The extension may have closed the connection already.
                client.try_send(text);
                clients.push(client);
            }
            if text.is_empty() {
                assert_served(&extension, &ledger, &mut platform);
            } else {
                // A connection that is idle is closed before one that has sent a part of a valid request.
                assert_eq!(invoke(&extension, "1"), 200);
                assert_eq!(ledger.post(port, 6), 200);
            }
            acknowledged += 6;
        }
        let open = extension.descriptors();
        assert!(open > 40, "{open}");
        // Some are reserved for the author's code.
        assert_eq!(invoke(&extension, "files"), 200);
        drop(clients);
        drop(platform);
        // What the framework needs itself, and the file of the author.
        let start = Instant::now();
        while extension.descriptors() > 18 {
            let open = extension.descriptors();
            assert!(start.elapsed() < Duration::from_secs(20), "{open}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let exited = extension.terminate();
    let balance = ledger.assert_balanced(&exited);
    assert_eq!((balance.acknowledged, balance.lost), (acknowledged, 0));
}

/// The author's code, or another process, has taken the last descriptor: no connection can be accepted. Connections that
/// exist are served, and others once descriptors are free again.
#[test]
fn connections_that_cannot_be_accepted_are_served_later() {
    let ledger = Ledger::new();
    let extension = boot(Start::new(LEDGER), &ledger);
    let port = extension.port();
    let mut old = [Client::connect(port), Client::connect(port)];
    assert_served(&extension, &ledger, &mut old);
    // A request in flight on each, so that neither is closed to make room.
    let batch = ledger.batch(3, 10);
    let body = request("POST", "/", &batch.body);
    let (first, rest) = body.split_at(body.len() - 5);
    old[0].send(request("POST", INVOKE, event("hang")));
    old[1].send(first);
    extension.limit_descriptors(3);
    let waiting = ledger.batch(3, 10);
    let mut new = [Client::connect(port), Client::connect(port)];
    new[0].send(request("POST", INVOKE, event("1")));
    new[1].send(request("POST", "/", &waiting.body));
    // This one is complete although no descriptor is free, unless its connection had to make room.
    old[1].try_send(rest);
    extension.limit_descriptors(100);
    assert_eq!(new[0].receive().status, 200);
    ledger.settle(&waiting, new[1].receive().status);
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).lost, 0);
}

/// The shutdown needs no descriptor.
#[test]
fn shutdown_without_descriptors_delivers_what_was_acknowledged() {
    let ledger = Ledger::new();
    let start = Start::new(LEDGER)
        .env("HANDLER", "ask")
        .env("FG_SHUTDOWN_TIMEOUT", "15s");
    let mut extension = boot(start, &ledger);
    let port = extension.port();
    assert_eq!(ledger.post(port, 3), 200);
    extension.wait_for("call 1");
    assert_eq!(ledger.post(port, 3), 200);
    extension.limit_descriptors(3);
    // In the backlog, and never accepted, so it is not acknowledged.
    let batch = ledger.batch(3, 10);
    let mut rejected = Client::connect(port);
    rejected.send(request("POST", "/", &batch.body));
    extension.signal(Signal::SIGTERM);
    for call in 2..=4 {
        extension.type_line("go on");
        if call < 3 {
            extension.wait_for(&format!("call {call}"));
        }
    }
    let exited = extension.wait();
    assert_eq!(exited.code, Some(0), "{exited:?}");
    assert_eq!(ledger.assert_balanced(&exited).acknowledged, 6);
}

/// More requests than descriptors are in the backlog when the process is thawed. A connection whose request has arrived is
/// not closed to make room for another one.
#[test]
fn requests_that_arrive_at_once_are_all_handled() {
    for signal in [None, Some(Signal::SIGTERM)] {
        let ledger = Ledger::new();
        let start =
            Start::by_script(LEDGER, "ulimit -n 64; exec \"$0\"").env("FG_SHUTDOWN_TIMEOUT", "15s");
        let extension = boot(start, &ledger);
        let port = extension.port();
        assert_eq!(invoke(&extension, "1"), 200);
        let mut clients = Vec::new();
        extension.freeze(Duration::ZERO, || {
            for i in 0..200 {
                let mut client = Client::connect(port);
                let batch = ledger.batch(1, 10);
                client.send(match i % 2 {
                    0 => request("POST", INVOKE, event("1")),
                    _ => request("POST", "/", &batch.body),
                });
                clients.push((client, batch));
            }
            signal.inspect(|signal| extension.signal(*signal));
        });
        let mut closed = 0;
        for (i, (client, batch)) in clients.iter_mut().enumerate() {
            match client.try_receive() {
                Some(response) if i % 2 == 1 => ledger.settle(batch, response.status),
                Some(response) => assert_eq!(response.status, 200),
                None => closed += 1,
            }
        }
        assert_eq!(closed, 0, "{signal:?}");
        let exited = match signal {
            None => extension.terminate(),
            Some(_) => extension.wait(),
        };
        let balance = ledger.assert_balanced(&exited);
        assert_eq!((balance.acknowledged, balance.lost), (100, 0));
    }
}
