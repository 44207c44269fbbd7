//! Compares the output that a page shows with the real output. Times, ids and ports are masked.

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
                    // How many batches there are, and of how many events each, differs.
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

/// Returns the line with one space between words, without bars, and with times, ids and ports masked.
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

/// Returns the length of a time, id or port at the start of the text, and its mask.
fn variable_part(before: &str, text: &str) -> Option<(usize, &'static str)> {
    let run = |accepts: fn(char) -> bool| text.find(|c| !accepts(c)).unwrap_or(text.len());
    let hex = run(|c| c.is_ascii_hexdigit() || c == '-');
    if hex == 36 && text[..36].matches('-').count() == 4 {
        return Some((36, "<uuid>"));
    }
    if run(|c| c.is_ascii_hexdigit()) == 16 {
        return Some((16, "<hash>"));
    }
    let time = run(|c| c.is_ascii_digit() || "-T:.Z".contains(c));
    if time >= 20 && text[..time].ends_with('Z') {
        return Some((time, "<time>"));
    }
    if let Some(port) = text.strip_prefix("127.0.0.1:") {
        let digits = port
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(port.len());
        return Some((text.len() - port.len() + digits, "127.0.0.1:<port>"));
    }
    let number = text[..run(|c| c.is_ascii_digit() || c == '.')].trim_end_matches('.');
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let after = &text[number.len()..];
    let after = after.strip_prefix(' ').unwrap_or(after);
    let unit = &after[..after
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(after.len())];
    let is_measured = UNITS.contains(&unit) || number.contains('.');
    // Of a batch of telemetry.
    let is_batch_size = unit.starts_with("event") || before.ends_with("\"events\":");
    let is_port = number
        .parse()
        .is_ok_and(|port: u16| (8081..=8090).contains(&port));
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
fn wrong_output_is_noticed() {
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
