//! The cases themselves, as text: the list, and one at length.

use std::fmt::Write;

use anstyle::Style;

use crate::cases::{CASES, Case};

const TITLE: Style = Style::new().bold();

/// Returns a list of all cases, a line each.
#[must_use]
pub fn list_cases() -> String {
    let width = CASES.iter().map(|case| case.source.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for case in CASES {
        let Case {
            id,
            mark,
            source,
            sentence,
            ..
        } = case;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{id}  {mark}  {source:width$}  {sentence}");
    }
    text
}

impl Case {
    /// Returns all about the case, with ANSI styles: its mark, its page, how it is tried, and what to do if it fails.
    #[must_use]
    pub fn explain(&self) -> String {
        let page = if self.source.starts_with("27") {
            format!("functiongraph_06_{}, of the API reference", self.source)
        } else if self.source.starts_with("05_") {
            format!("functiongraph_{}, of the best practices", self.source)
        } else {
            self.source.to_owned()
        };
        format!(
            "{TITLE}{}{TITLE:#}  {}\n\n  mark    {}, {}\n  source  {page}\n\n  {}\n\n  If it fails: {}.\n",
            self.id,
            self.sentence,
            self.mark,
            self.mark.meaning(),
            self.tried,
            self.remedy,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::list_cases;
    use crate::cases::CASES;

    #[test]
    fn the_list_follows_the_table() {
        let list = list_cases();
        assert_eq!(list.lines().count(), CASES.len());
        for (line, case) in list.lines().zip(CASES) {
            assert!(
                line.starts_with(&format!("{}  {}  ", case.id, case.mark)),
                "{line}"
            );
            assert!(line.ends_with(&format!("  {}", case.sentence)), "{line}");
        }
    }

    #[test]
    fn explanations_follow_the_table() {
        for case in CASES {
            let text = case.explain();
            for part in [
                case.id.as_str(),
                case.source,
                case.sentence,
                case.tried,
                case.remedy,
            ] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
