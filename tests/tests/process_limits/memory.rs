//! RLIMIT_AS: what does not fit is rejected before it is acknowledged.

use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::{Client, Extension, ScriptedPlatform, ScriptedResponse, Start, request};

use super::ledger::Ledger;
use super::{LEDGER, boot, invoke, wait_until_initialized};

/// The memory of the smallest instance, in KB.
const SMALLEST: usize = 128 * 1024;

fn limited(kilobytes: usize) -> Start {
    Start::by_script(LEDGER, &format!("ulimit -v {kilobytes}; exec \"$0\""))
        // By default, glibc reserves 64 MB of address space for each thread, which it does not use. A packaged extension
        // is linked with musl, which does not.
        .env("MALLOC_ARENA_MAX", "1")
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
    let start = Instant::now();
    while ledger.post(extension.port(), 3) != 200 {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).lost, 0);
    assert!(!exited.stderr.contains("panicked"), "{exited:?}");
}

#[test]
#[ignore = "takes half a minute; `.ci/full` runs it"]
fn little_address_space_for_a_long_time() {
    let ledger = Ledger::new();
    let extension = boot(limited(SMALLEST).env("FG_SHUTDOWN_TIMEOUT", "20s"), &ledger);
    flood(&extension, &ledger, 10);
    let exited = extension.terminate();
    assert_eq!(ledger.assert_balanced(&exited).lost, 0);
}

/// With even less, the process may abort, but only before it has acknowledged what it cannot deliver, and it says why.
#[test]
fn too_little_address_space_is_reported() {
    // 16 MB plus twice the buffer of 4 MiB, and what a debug build needs to be loaded.
    const ENOUGH: usize = 48;
    for megabytes in [6, 8, 12, 16, 20, 24, 28, 32, ENOUGH, 64] {
        let ledger = Ledger::new();
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let mut extension = limited(megabytes * 1024)
            .env("LEDGER", ledger.file())
            .env("FG_SHUTDOWN_TIMEOUT", "20s")
            .with(&platform)
            .start();
        wait_until_initialized(&mut extension, &ledger);
        let port = extension.port();
        let mut counts = [0; 4];
        for (connections, events, size) in [
            (4, 1, 5_900_000),
            (20, 10, 1_000),
            (3, 50_000, 80),
            (3, 1, 10),
        ] {
            if !extension.has_exited() {
                counts = post_at_once(&ledger, port, connections, events, size);
            }
        }
        let exited = if extension.has_exited() {
            extension.wait()
        } else {
            extension.terminate()
        };
        let balance = ledger.assert_all_accounted_for(&exited);
        if exited.code == Some(0) {
            assert_eq!(balance.lost, 0, "{megabytes}: {exited:?}");
            assert_eq!(counts, [3, 0, 0, 0], "{megabytes}: {exited:?}");
        } else {
            assert!(megabytes < ENOUGH, "{megabytes}: {exited:?}");
            // The dynamic loader, the start-up, or an allocation.
            let last = exited.stderr.lines().last().unwrap_or_default();
            let whys = [
                "memory allocation of ",
                "annot allocate memory",
                "failed to map",
            ];
            let is_reported = whys.iter().any(|why| exited.stderr.contains(why));
            assert!(is_reported && !last.is_empty(), "{megabytes}: {exited:?}");
        }
    }
}
