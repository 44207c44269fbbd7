//! [`Printed`]: the lines that processes print while invocations are in flight.

use std::collections::{BTreeMap, VecDeque};

use crate::OutputLine;

/// The maximum size of the stored lines.
const MAX_BYTES: usize = 256 * 1024;

/// The last lines that were printed. Invocations in flight share them, so that each line is stored once.
#[derive(Debug, Default)]
pub(super) struct Printed {
    lines: VecDeque<OutputLine>,
    bytes: usize,
    /// The number of lines that were removed from the front.
    removed: u64,
    /// The number of the first line of each invocation in flight.
    first_lines: BTreeMap<u64, u64>,
    next_key: u64,
}

impl Printed {
    /// Starts to store lines for an invocation. Returns the key for [`take`](Self::take).
    pub(super) fn start(&mut self) -> u64 {
        self.next_key += 1;
        let next_line = self.removed + self.lines.len() as u64;
        self.first_lines.insert(self.next_key, next_line);
        self.next_key
    }

    /// Stores a line for the invocations in flight.
    pub(super) fn push(&mut self, line: &OutputLine) {
        if self.first_lines.is_empty() {
            return;
        }
        self.bytes += line.text.len();
        self.lines.push_back(line.clone());
        while self.bytes > MAX_BYTES {
            self.remove_first();
        }
    }

    /// Returns the lines that were printed since the start of the invocation, and that are still stored.
    pub(super) fn take(&mut self, key: u64) -> Vec<OutputLine> {
        let Some(first) = self.first_lines.remove(&key) else {
            return Vec::new();
        };
        let before = usize::try_from(first.saturating_sub(self.removed)).unwrap_or(usize::MAX);
        let lines = self.lines.iter().skip(before).cloned().collect();
        // Invocations have keys in the order of their starts.
        match self.first_lines.first_key_value() {
            Some((_, &oldest)) => {
                while self.removed < oldest && !self.lines.is_empty() {
                    self.remove_first();
                }
            }
            None => {
                self.removed += self.lines.len() as u64;
                self.lines = VecDeque::new();
                self.bytes = 0;
            }
        }
        lines
    }

    fn remove_first(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.text.len();
            self.removed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, Printed};
    use crate::{OutputLine, OutputStream};

    fn line(text: &str) -> OutputLine {
        OutputLine {
            script: "extensionA.sh".to_owned(),
            stream: OutputStream::Stdout,
            text: text.to_owned(),
        }
    }

    fn take(printed: &mut Printed, key: u64) -> Vec<String> {
        let lines = printed.take(key);
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn each_invocation_has_the_lines_since_its_start() {
        let mut printed = Printed::default();
        printed.push(&line("before"));
        let first = printed.start();
        printed.push(&line("1"));
        let second = printed.start();
        printed.push(&line("2"));
        assert_eq!(take(&mut printed, first), ["1", "2"]);
        // The second invocation does not need the first line.
        assert_eq!(printed.lines.len(), 1);
        let third = printed.start();
        printed.push(&line("3"));
        assert_eq!(take(&mut printed, third), ["3"]);
        assert_eq!(take(&mut printed, second), ["2", "3"]);
        assert_eq!(take(&mut printed, second), [""; 0]);
        assert!(printed.lines.is_empty());
    }

    #[test]
    fn lines_of_concurrent_invocations_are_stored_once() {
        let mut printed = Printed::default();
        let keys: Vec<_> = (0..100).map(|_| printed.start()).collect();
        let text = "x".repeat(1024);
        for _ in 0..2 * MAX_BYTES / text.len() {
            printed.push(&line(&text));
        }
        printed.push(&line("last"));
        assert!(printed.bytes <= MAX_BYTES, "{}", printed.bytes);
        let stored: usize = printed.lines.iter().map(|line| line.text.len()).sum();
        assert_eq!(stored, printed.bytes);
        for key in keys {
            let lines = take(&mut printed, key);
            assert_eq!(lines.last().map(String::as_str), Some("last"));
            assert_eq!(lines.len(), MAX_BYTES / text.len());
        }
        assert_eq!((printed.lines.len(), printed.bytes), (0, 0));
    }
}
