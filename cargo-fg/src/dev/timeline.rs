//! The timeline of an invocation: one bar for each row, all on one time scale.

use std::time::Duration;

/// The minimum width of the labels, which is the width of the labels of all other lines.
const MIN_LABEL_WIDTH: usize = 12;
/// The width of `12345.67 ms`.
const TIME_WIDTH: usize = 11;
/// The minimum width of the bars.
const MIN_BAR_CELLS: usize = 10;
/// The width that is reserved for the status. A longer one is cut at the edge of the terminal.
const STATUS_WIDTH: usize = 16;

/// A row of the timeline: the function, an extension, or a telemetry delivery.
pub(crate) struct Row {
    pub(crate) label: String,
    /// The time since the start of the invocation.
    pub(crate) start: Duration,
    pub(crate) duration: Duration,
    pub(crate) status: String,
}

/// Returns one line for each row, at most `columns` characters wide.
pub(crate) fn lines(rows: &[Row], columns: usize) -> Vec<String> {
    let longest = rows.iter().map(|row| row.label.chars().count()).max();
    let label = longest
        .unwrap_or_default()
        .clamp(MIN_LABEL_WIDTH, (columns / 3).max(MIN_LABEL_WIDTH));
    let bar = columns
        .saturating_sub(label + TIME_WIDTH + STATUS_WIDTH + 3)
        .max(MIN_BAR_CELLS);
    let end = rows
        .iter()
        .map(|row| row.start + row.duration)
        .max()
        .unwrap_or_default();
    rows.iter()
        .map(|row| {
            let line = format!(
                "{:>label$} {} {:>TIME_WIDTH$} {}",
                cut(&row.label, label),
                draw_bar(row, end, bar),
                format!("{:.2} ms", row.duration.as_secs_f64() * 1000.0),
                row.status
            );
            cut(&line, columns)
        })
        .collect()
}

/// Returns the bar of a row. It starts at a cell boundary, and its length is in eighths of a cell, so that short bars
/// differ too.
fn draw_bar(row: &Row, end: Duration, cells: usize) -> String {
    let end = end.as_secs_f64().max(f64::MIN_POSITIVE);
    let share = |time: Duration| time.as_secs_f64() / end;
    let from = ((share(row.start) * cells as f64) as usize).min(cells - 1);
    let eighths =
        ((share(row.duration) * cells as f64 * 8.0).round() as usize).clamp(1, (cells - from) * 8);
    let mut bar = " ".repeat(from) + &"█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        bar.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][rest]);
    }
    format!("{bar:cells$}")
}

/// Returns the text without trailing spaces, cut to the width.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.trim_end().to_owned();
    }
    let shortened: String = text.chars().take(width.saturating_sub(1)).collect();
    shortened + "…"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Row, lines};

    fn row(label: &str, start: u64, duration: u64, status: &str) -> Row {
        Row {
            label: label.to_owned(),
            start: Duration::from_millis(start),
            duration: Duration::from_millis(duration),
            status: status.to_owned(),
        }
    }

    #[test]
    fn all_rows_share_one_scale() {
        let rows = [
            row("function", 0, 50, "ok"),
            row("extensionA.sh", 0, 100, "200"),
            row("telemetry", 75, 25, "200, 3 events"),
        ];
        assert_eq!(
            lines(&rows, 51),
            [
                "     function █████         50.00 ms ok",
                "extensionA.sh ██████████   100.00 ms 200",
                "    telemetry        ██▌    25.00 ms 200, 3 events",
            ]
        );
    }

    #[test]
    fn lines_fit_the_terminal() {
        let rows = [
            row("function", 0, 0, "ok"),
            row(&"extension".repeat(20), 1, 123_456, &"x".repeat(300)),
        ];
        for columns in [50, 80, 200] {
            for line in lines(&rows, columns) {
                assert!(line.chars().count() <= columns, "{line}");
            }
        }
    }

    #[test]
    fn zero_durations_are_visible() {
        for rows in [
            &[row("a", 0, 0, "x")][..],
            &[row("a", 0, 100, "x"), row("b", 100, 0, "y")],
        ] {
            for line in lines(rows, 80) {
                assert!(line.chars().any(|c| "▏▕█".contains(c)), "{line}");
            }
        }
        assert!(lines(&[], 80).is_empty());
    }
}
