//! Compares the output that a page shows with the real output. Times, IDs and ports are masked.

use fg_emulator::PORT_RANGE;

/// A line that stands for any number of lines, and the part of a line that stands for any text.
const ANYTHING: &str = "…";

/// The labels of cargo's progress, which depends on what was built before.
const CARGO_LABELS: [&str; 14] = [
    "Adding",
    "Blocking",
    "Building",
    "Checking",
    "Compiling",
    "Creating",
    "Doc-tests",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Locking",
    "Running",
    "Updating",
];

/// Units of measured numbers.
const UNITS: [&str; 9] = ["ms", "µs", "s", "KB", "KiB", "MB", "MiB", "GB", "GiB"];

/// The lines that keep their order. Lines of different streams may be mixed in any order: a process prints to a pipe, and
/// telemetry has its own connections, so `cargo fg` may see either before or after its other events.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Stream {
    Events,
    Printed,
    Telemetry,
}

/// Returns whether the shown lines describe the real output.
pub(super) fn matches(shown: &str, real: &str) -> bool {
    let shown = normalized_lines(shown);
    let real = normalized_lines(real);
    [Stream::Events, Stream::Printed, Stream::Telemetry]
        .into_iter()
        .all(|stream| {
            let of_stream = |lines: &[String]| -> Vec<String> {
                let lines = lines
                    .iter()
                    .filter(|line| *line == ANYTHING || stream_of(line) == stream);
                let mut lines: Vec<_> = lines.cloned().collect();
                if stream == Stream::Telemetry {
                    // The number of batches, and of events in each, varies.
                    lines.dedup();
                }
                lines
            };
            lines_match(&of_stream(&shown), &of_stream(&real))
        })
}

fn normalized_lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(normalized);
    lines
        .filter(|line| {
            let label = line.split(' ').next().unwrap_or_default();
            !line.is_empty() && !CARGO_LABELS.contains(&label)
        })
        .collect()
}

fn stream_of(line: &str) -> Stream {
    let is = |labels: &[&str]| {
        labels.iter().any(|label| {
            line.starts_with(&format!("{label} "))
                || line.contains(&format!("\"event\":\"{label}\""))
        })
    };
    if is(&["stdout", "stderr", "output"]) {
        Stream::Printed
    } else if is(&["telemetry"]) {
        Stream::Telemetry
    } else {
        Stream::Events
    }
}

/// Returns the line with one space between words, without bars, and with times, IDs and ports masked.
fn normalized(line: &str) -> String {
    let line = masked(line);
    let is_bar = |c: char| ('\u{2580}'..='\u{259f}').contains(&c);
    let line: String = line
        .chars()
        .map(|c| if is_bar(c) { ' ' } else { c })
        .collect();
    let words: Vec<_> = line.split_whitespace().collect();
    words.join(" ").replace("<number> events", "<number> event")
}

fn masked(line: &str) -> String {
    let mut masked = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let last = masked.chars().next_back();
        let is_start = last.is_none_or(|last| !last.is_ascii_alphanumeric() && last != '.');
        let length = match variable_part(&masked, rest) {
            Some((length, name)) if is_start || last == Some('v') => {
                masked += name;
                length
            }
            _ => {
                masked.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    masked
}

/// Returns the length of a variable part, such as a time, an ID or a port, at the start of the text, and its mask.
fn variable_part(before: &str, text: &str) -> Option<(usize, &'static str)> {
    let is_hex = |c: char| c.is_ascii_hexdigit();
    let is_digit = |c: char| c.is_ascii_digit();
    let uuid = leading(text, |c| is_hex(c) || c == '-');
    if uuid.len() == 36 && uuid.matches('-').count() == 4 {
        return Some((36, "<uuid>"));
    }
    if leading(text, is_hex).len() == 16 {
        return Some((16, "<hash>"));
    }
    let time = leading(text, |c| is_digit(c) || "-T:.Z".contains(c));
    if time.len() >= 20 && time.ends_with('Z') {
        return Some((time.len(), "<time>"));
    }
    if let Some(port) = text.strip_prefix("127.0.0.1:") {
        let length = text.len() - port.len() + leading(port, is_digit).len();
        return Some((length, "127.0.0.1:<port>"));
    }
    let number = leading(text, |c| is_digit(c) || c == '.').trim_end_matches('.');
    if !number.starts_with(is_digit) {
        return None;
    }
    let after = &text[number.len()..];
    let unit = leading(
        after.strip_prefix(' ').unwrap_or(after),
        char::is_alphabetic,
    );
    let is_measured = UNITS.contains(&unit) || number.contains('.');
    let is_batch_size = unit.starts_with("event") || before.ends_with("\"events\":");
    let is_port = number.parse().is_ok_and(|port| PORT_RANGE.contains(&port));
    if is_measured || is_batch_size {
        Some((number.len(), "<number>"))
    } else if is_port {
        Some((number.len(), "<port>"))
    } else if before
        .to_ascii_lowercase()
        .trim_end_matches([' ', ':'])
        .ends_with("pid")
    {
        Some((number.len(), "<pid>"))
    } else {
        None
    }
}

/// Returns the longest start of the text in which every character is accepted.
fn leading(text: &str, accepts: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !accepts(c)).unwrap_or(text.len());
    &text[..end]
}

/// Matches lines in order; a line `…` matches any number of lines.
fn lines_match(shown: &[String], real: &[String]) -> bool {
    match shown {
        [] => real.is_empty(),
        [first, rest @ ..] if first == ANYTHING => {
            (0..=real.len()).any(|skipped| lines_match(rest, &real[skipped..]))
        }
        [first, rest @ ..] => match real {
            [line, others @ ..] => line_matches(first, line) && lines_match(rest, others),
            [] => false,
        },
    }
}

/// Matches one line; `…` in it matches any text.
fn line_matches(shown: &str, real: &str) -> bool {
    match shown.split_once(ANYTHING) {
        None => shown == real,
        Some((start, rest)) => real.strip_prefix(start).is_some_and(|real| {
            let mut ends = real.char_indices().map(|(i, _)| i).chain([real.len()]);
            ends.any(|i| line_matches(rest, &real[i..]))
        }),
    }
}

#[test]
fn times_ids_and_ports_are_masked() {
    for (text, expected) in [
        (
            "  registered extensionHello.sh at 127.0.0.1:8081, 3.48 ms after its start",
            "registered extensionHello.sh at 127.0.0.1:<port>, <number> ms after its start",
        ),
        (
            "invoked #1 65a82107-071f-40cb-bf7c-10908e8a6259",
            "invoked #1 <uuid>",
        ),
        (
            "function █████████▉   0.20 ms ok",
            "function <number> ms ok",
        ),
        (
            "extensionNightWatch.sh, port 8083",
            "extensionNightWatch.sh, port <port>",
        ),
        ("result #2 error in 80 ms", "result #2 error in <number> ms"),
        ("hello v0.1.0", "hello v<number>"),
        (
            "{\"time\":\"2026-11-27T14:05:00.123Z\",\"duration_ms\":2.0}",
            "{\"time\":\"<time>\",\"duration_ms\":<number>}",
        ),
        (
            "10 passed, 0 failed, in 1.2 s",
            "10 passed, 0 failed, in <number> s",
        ),
        (
            "telemetry 3 events, 200 in 1.20 ms",
            "telemetry <number> event, 200 in <number> ms",
        ),
        ("exit status: 1", "exit status: 1"),
        ("--dev PID: 4711", "--dev PID: <pid>"),
    ] {
        assert_eq!(normalized(text), expected);
    }
}

#[test]
fn ellipsis_stands_for_lines_and_text() {
    let real =
        "   Compiling hello v0.1.0\nstdout a\nregistered x, 3.48 ms\ninvoked #1 200\nstopped x\n";
    for shown in [
        "registered x, 1.00 ms\nstdout a\ninvoked #1 200\nstopped x\n",
        "…\nstopped x",
        "registered …, 1.00 ms\n…\nstopped …\n",
    ] {
        assert!(matches(shown, real), "{shown}");
    }
}

#[test]
fn different_output_does_not_match() {
    let real =
        "registered x, 3.48 ms\nstdout a\nstdout b\ninvoked #1 200\nstopped x, exit status: 0\n";
    for shown in [
        "",
        "registered x, 3.48 ms\n",
        "registered x, 3.48 ms\nstdout a\nstdout b\ninvoked #1 200\nstopped x, exit status: 1\n",
        "registered x, 3.48 ms\nstdout b\nstdout a\ninvoked #1 200\nstopped x, exit status: 0\n",
        "registered x, 3.48 ms\nstdout a\ninvoked #1 200\nstopped x, exit status: 0\n",
        "invoked #1 200\n…\nregistered x, 3.48 ms\n…\n",
        "…\nstopped y, …",
    ] {
        assert!(!matches(shown, real), "{shown}");
    }
    assert!(matches(
        "telemetry 2 events, 200 in 1.20 ms",
        "telemetry 1 event, 200 in 3.45 ms"
    ));
    assert!(!matches(
        "telemetry 2 events, 503 in 1.20 ms",
        "telemetry 2 events, 200 in 1.20 ms"
    ));
}
