//! Counts and lengths of time, described so that two reports of the same behavior are equal.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

/// Describes a length of time, so that two reports of the same behavior are equal.
pub(crate) fn time_class(time: Duration) -> &'static str {
    const CLASSES: [(u64, &str); 11] = [
        (1, "below 1 ms"),
        (3, "1–3 ms"),
        (10, "3–10 ms"),
        (30, "10–30 ms"),
        (100, "30–100 ms"),
        (300, "0.1–0.3 s"),
        (1_000, "0.3–1 s"),
        (3_000, "1–3 s"),
        (10_000, "3–10 s"),
        (30_000, "10–30 s"),
        (100_000, "30–100 s"),
    ];
    let class = CLASSES
        .iter()
        .find(|(limit, _)| time < Duration::from_millis(*limit));
    class.map_or("over 100 s", |(_, text)| text)
}

/// The shortest and the longest of some times.
#[derive(Debug, Default)]
pub(crate) struct Spread(Option<(Duration, Duration)>);

impl Spread {
    pub(crate) fn add(&mut self, time: Duration) {
        let (min, max) = self.0.unwrap_or((time, time));
        self.0 = Some((min.min(time), max.max(time)));
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((min, max)) = self.0 else {
            return f.write_str("not seen");
        };
        match (time_class(min), time_class(max)) {
            (min, max) if min == max => f.write_str(min),
            (min, max) => write!(f, "{min} to {max}"),
        }
    }
}

/// How many characters of a form are shown.
const MAX_FORM: usize = 2_000;

/// Counts how often something was seen. Bounded, because a platform can post anything.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<String, u64>,
    others: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, form: impl Into<String>) {
        let mut form = form.into();
        if let Some((end, _)) = form.char_indices().nth(MAX_FORM) {
            form.truncate(end);
            // Forms may be in backticks.
            form.push_str(if form.starts_with('`') { "…`" } else { "…" });
        }
        if let Some(count) = self.counts.get_mut(&form) {
            *count += 1;
        } else if self.counts.len() < 60 {
            self.counts.insert(form, 1);
        } else {
            self.others += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Each form with its count, in alphabetical order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let counts = self.counts.iter();
        let mut lines: Vec<_> = counts
            .map(|(form, count)| format!("{form} ({count}×)"))
            .collect();
        if self.others > 0 {
            lines.push(format!("further forms ({}×)", self.others));
        }
        lines
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tally_is_bounded() {
        let mut long = Tally::default();
        long.add(format!("`{}`", "ä".repeat(5_000)));
        assert!(long.to_string().ends_with("ä…` (1×)"), "{long}");
        let mut tally = Tally::default();
        for number in 0..100 {
            tally.add(format!("form {number}"));
            tally.add("form 1");
        }
        assert_eq!(tally.lines().len(), 61);
        assert!(tally.to_string().contains("form 1 (101×)"), "{tally}");
        assert!(
            tally.to_string().ends_with("further forms (40×)"),
            "{tally}"
        );
    }

    #[test]
    fn times_are_described() {
        let mut spread = Spread::default();
        assert_eq!(spread.to_string(), "not seen");
        spread.add(Duration::from_millis(2));
        assert_eq!(spread.to_string(), "1–3 ms");
        spread.add(Duration::from_secs(500));
        assert_eq!(spread.to_string(), "1–3 ms to over 100 s");
    }
}
