//! RLIMIT_AS: what does not fit is rejected before it is acknowledged.

use std::thread;

use fg_extension_tests::{
    Client, ExitedProcess, Extension, ScriptedPlatform, ScriptedResponse, Start, request,
};

use super::ledger::Ledger;
use super::{LEDGER, boot, invoke};

/// The memory of the smallest instance, in KB.
const SMALLEST: usize = 128 * 1024;

fn limited(kilobytes: usize) -> Start {
    Start::by_script(LEDGER, &format!("ulimit -v {kilobytes}; exec \"$0\""))
}

/// Posts batches of events of a size over several connections at once, and returns how many responses had each of the statuses
/// 200, 413 and 503, and how many connections were closed.
fn post_at_once(
    ledger: &Ledger,
    port: u16,
    connections: usize,
    events: u64,
    size: usize,
) -> [usize; 4] {
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let batch = ledger.batch(events, size);
                    let Ok(mut client) = Client::try_connect(port) else {
                        return 3;
                    };
                    client.try_send(request("POST", "/", &batch.body));
                    let status = client.try_receive().map(|response| response.status);
                    if let Some(status) = status {
                        ledger.settle(&batch, status);
                    }
                    match status {
                        Some(200) => 0,
                        Some(413) => 1,
                        Some(503) => 2,
                        None => 3,
                        status => panic!("unexpected status {status:?}"),
                    }
                })
            })
            .collect();
        let mut counts = [0; 4];
        for thread in threads {
            counts[thread.join().expect("no panic")] += 1;
        }
        counts
    });
    assert_eq!(counts.iter().sum::<usize>(), connections);
    counts
}

/// Large and small bodies, few and many connections, all at once, while the handler is slow.
fn flood(extension: &Extension, ledger: &Ledger, rounds: usize) -> [usize; 4] {
    let port = extension.port();
    let mut total = [0; 4];
    for _ in 0..rounds {
        for (connections, events, size) in [
            (8, 1, 5_900_000),
            (8, 59, 100_000),
            (8, 50_000, 80),
            (100, 10, 1_000),
            (40, 2, 150_000),
            (2, 1, 7_000_000),
        ] {
            let counts = post_at_once(ledger, port, connections, events, size);
            for (total, count) in total.iter_mut().zip(counts) {
                *total += count;
            }
            assert_eq!(invoke(extension, "1"), 200);
        }
    }
    total
}

#[test]
fn little_address_space_does_not_lose_what_was_acknowledged() {
    let ledger = Ledger::new();
    let start = limited(SMALLEST)
        .env("HANDLER", "slow")
        .env("FG_SHUTDOWN_TIMEOUT", "20s");
    let extension = boot(start, &ledger);
    let [acknowledged, too_large, rejected, _] = flood(&extension, &ledger, 1);
    assert!(
        acknowledged > 0 && rejected > 0,
        "{acknowledged}, {rejected}"
    );
    assert!(too_large <= 2, "{too_large}");
    // Once the flood is over, everything is as before.
    let start = std::time::Instant::now();
    while ledger.post(extension.port(), 3) != 200 {
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).lost, 0);
    assert!(!exited.stderr.contains("panicked"), "{exited:?}");
}

#[test]
#[ignore = "takes a minute; `.ci/full` runs it"]
fn little_address_space_for_a_long_time() {
    let ledger = Ledger::new();
    let start = limited(SMALLEST).env("FG_SHUTDOWN_TIMEOUT", "20s");
    let extension = boot(start, &ledger);
    flood(&extension, &ledger, 40);
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).lost, 0);
}

/// With even less, the process may die, but not before it has printed why, and not silently with status 0.
#[test]
fn too_little_address_space_is_reported() {
    // A debug build is large, so the limits start from what is needed to load it.
    for kilobytes in (8..=40).step_by(4).map(|megabytes| megabytes * 1024) {
        let ledger = Ledger::new();
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let mut extension = limited(kilobytes)
            .env("LEDGER", ledger.file())
            .env("FG_SHUTDOWN_TIMEOUT", "20s")
            .with(&platform)
            .start();
        while !ledger.exists() && !extension.has_exited() {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        let exited: ExitedProcess = if extension.has_exited() {
            extension.wait()
        } else {
            let port = extension.port();
            let counts = post_at_once(&ledger, port, 4, 1, 5_900_000);
            let more = post_at_once(&ledger, port, 20, 10, 1_000);
            eprintln!("{kilobytes} {counts:?} {more:?}");
            extension.terminate()
        };
        eprintln!("{kilobytes} {exited:?}");
    }
}
