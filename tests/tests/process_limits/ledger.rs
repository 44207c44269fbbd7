//! [`Ledger`]: numbered telemetry events, which are acknowledged, delivered once, or reported as lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::sync::Mutex;

use fg_extension_tests::{Client, ExitedProcess, request};
use tempfile::TempDir;

/// The events that a test has sent, and the file to which the extension `ledger` writes those that were delivered.
pub(super) struct Ledger {
    directory: TempDir,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    next: u64,
    acknowledged: BTreeSet<u64>,
    /// Those that the client does not know to be acknowledged or rejected, such as after a broken connection.
    unknown: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
}

/// A batch of events.
pub(super) struct Batch {
    numbers: Range<u64>,
    pub(super) body: String,
}

/// How many events were acknowledged, and how many of these were reported as lost.
#[derive(Debug, PartialEq)]
pub(super) struct Balance {
    pub(super) acknowledged: usize,
    pub(super) lost: usize,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            book: Mutex::default(),
        }
    }

    /// Returns the path for the variable `LEDGER`.
    pub(super) fn file(&self) -> String {
        let path = self.directory.path().join("delivered");
        path.display().to_string()
    }

    /// Returns whether the extension has opened the file, so that `init` has completed.
    pub(super) fn exists(&self) -> bool {
        fs::exists(self.file()).is_ok_and(|exists| exists)
    }

    /// Creates a batch of new events. Each has about `size` bytes.
    pub(super) fn batch(&self, events: u64, size: usize) -> Batch {
        let mut book = self.book.lock().expect("no panic");
        let numbers = book.next..book.next + events;
        book.next = numbers.end;
        book.unknown.extend(numbers.clone());
        let text = "x".repeat(size);
        let events: Vec<_> = numbers
            .clone()
            .map(|n| format!(r#"{{"n":{n},"text":"{text}"}}"#))
            .collect();
        Batch {
            numbers,
            body: format!("[{}]", events.join(",")),
        }
    }

    /// Records the status of the response to a batch.
    pub(super) fn settle(&self, batch: &Batch, status: u16) {
        let mut book = self.book.lock().expect("no panic");
        for number in batch.numbers.clone() {
            book.unknown.remove(&number);
            match status {
                200 => book.acknowledged.insert(number),
                400.. => book.rejected.insert(number),
                status => panic!("unexpected status {status}"),
            };
        }
    }

    /// Posts a batch of small events over a new connection, and returns the status.
    pub(super) fn post(&self, port: u16, events: u64) -> u16 {
        self.post_over(&mut Client::connect(port), &self.batch(events, 10))
    }

    /// Posts a batch over a connection, and returns the status.
    pub(super) fn post_over(&self, client: &mut Client, batch: &Batch) -> u16 {
        let response = client.send(request("POST", "/", &batch.body)).receive();
        self.settle(batch, response.status);
        response.status
    }

    /// Returns the numbers of the events that were delivered so far.
    fn delivered(&self) -> Vec<u64> {
        // The file is missing if the extension exited before it created it.
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        // If the process was killed in the middle of a line, the line is not complete.
        let lines = text.split_inclusive('\n').filter(|it| it.ends_with('\n'));
        lines
            .map(|line| line.trim().parse().expect("a number"))
            .collect()
    }

    /// Returns the number of events that were delivered so far.
    pub(super) fn count(&self) -> usize {
        self.delivered().len()
    }

    /// Asserts that each acknowledged event was delivered once or reported as lost, that the exit status says so, and that
    /// no other event was delivered.
    #[track_caller]
    pub(super) fn assert_balanced(&self, exited: &ExitedProcess) -> Balance {
        let balance = self.assert_all_accounted_for(exited);
        let expected = if balance.lost > 0 { 1 } else { 0 };
        assert_eq!(exited.code, Some(expected), "{exited:?}");
        balance
    }

    /// Does the same as [`assert_balanced`](Self::assert_balanced), whatever the exit status is.
    #[track_caller]
    pub(super) fn assert_all_accounted_for(&self, exited: &ExitedProcess) -> Balance {
        let book = self.book.lock().expect("no panic");
        let mut times = BTreeMap::new();
        for number in self.delivered() {
            *times.entry(number).or_insert(0) += 1;
        }
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "delivered twice: {twice:?}: {exited:?}");
        let never_sent: Vec<_> = times.keys().filter(|it| **it >= book.next).collect();
        assert!(never_sent.is_empty(), "never sent: {never_sent:?}");
        let rejected: Vec<_> = times
            .keys()
            .filter(|it| book.rejected.contains(it))
            .collect();
        assert!(
            rejected.is_empty(),
            "delivered, but rejected: {rejected:?}: {exited:?}"
        );
        let missing: Vec<_> = book
            .acknowledged
            .iter()
            .filter(|it| !times.contains_key(it))
            .collect();
        let lost = reported(&exited.stderr);
        // Some of those whose response did not arrive may have been acknowledged, and lost.
        let unknown = book
            .unknown
            .iter()
            .filter(|it| !times.contains_key(it))
            .count();
        assert!(
            (missing.len()..=missing.len() + unknown).contains(&lost),
            "{lost} events were reported as lost, and {} acknowledged ones are missing: {missing:?}: {exited:?}",
            missing.len()
        );
        Balance {
            acknowledged: book.acknowledged.len(),
            lost,
        }
    }
}

/// Returns how many events the last lines of the process report as lost.
fn reported(stderr: &str) -> usize {
    let errors = stderr.lines().filter(|line| line.starts_with("ERROR "));
    errors
        .flat_map(|line| {
            line.match_indices(" acknowledged telemetry event")
                .map(move |(at, _)| &line[..at])
        })
        .map(|before| {
            let number = before.rsplit(' ').next().unwrap_or_default();
            number.parse::<usize>().expect("a number")
        })
        .sum()
}
