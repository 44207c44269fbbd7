//! Text for one line of a log.

/// An error and its sources; what was just said is not said again.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = error.source();
    }
    // The client's own words, which say nothing more.
    let line = line.trim_start_matches("client error (Connect): ");
    one_line(line)
}

/// `text` with its control characters escaped, so that a line break in it does not break a log line in two.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The first words of what somebody else wrote.
pub(super) fn first_words(text: &str) -> String {
    const MOST: usize = 200;
    match text.trim().char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", one_line(&text.trim()[..end])),
        None => one_line(text),
    }
}
