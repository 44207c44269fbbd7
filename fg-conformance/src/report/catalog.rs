//! Texts about the cases: the list of all cases, and the explanation of one.

use std::fmt::Write;

use anstyle::Style;

use crate::cases::{CASES, Case};

const TITLE: Style = Style::new().bold();

/// Returns a list of all cases, one per line: ID, mark, source and requirement.
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
    /// Explains the case, with ANSI styles: its mark, its source, how it is tested, and how to fix an extension that fails it.
    #[must_use]
    pub fn explain(&self) -> String {
        let page = if self.source.starts_with("27") {
            format!("functiongraph_06_{} (API reference)", self.source)
        } else if self.source.starts_with("05_") {
            format!("functiongraph_{} (best practices)", self.source)
        } else {
            self.source.to_owned()
        };
        let blockers: Vec<_> = self.prevented_by.iter().map(|id| id.as_str()).collect();
        let blocked = match &blockers[..] {
            [] => String::new(),
            ids => format!(
                "  skipped if one of these cases fails: {}\n",
                ids.join(", ")
            ),
        };
        format!(
            "{TITLE}{}{TITLE:#}  {}\n\n  mark    {}: {}\n  source  {page}\n{blocked}\n  How it is tested:\n  {}\n\n  How to fix it:\n  {}.\n",
            self.id,
            self.sentence,
            self.mark,
            self.mark.meaning(),
            self.tried,
            capitalize(self.remedy),
        )
    }
}

fn capitalize(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::{capitalize, list_cases};
    use crate::cases::CASES;

    #[test]
    fn the_list_has_a_line_for_each_case() {
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
    fn explanations_contain_every_column_of_the_table() {
        for case in CASES {
            let text = case.explain();
            for part in [
                case.id.as_str(),
                case.source,
                case.sentence,
                case.tried,
                &capitalize(case.remedy),
            ] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
