//! Compares the figures that can be repeated with the committed ones.

use std::collections::BTreeMap;

use crate::table::number;

/// The committed figures of fg-extension, relative to the root of the repository.
pub(crate) const FILE: &str = "benches/figures.json";

/// How much larger a figure may be than the committed one.
const ROOM: f64 = 0.03;

pub(crate) type Committed = BTreeMap<String, f64>;

/// The result of a comparison.
#[derive(Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) lines: Vec<String>,
    pub(crate) is_within: bool,
}

/// Compares each measured figure. One that is not committed is a failure, as is one that is too large.
pub(crate) fn compare(measured: &Committed, committed: &Committed) -> Comparison {
    let mut comparison = Comparison {
        lines: Vec::new(),
        is_within: true,
    };
    for (figure, &value) in measured {
        let shown = number(value, 1);
        let line = match committed.get(figure) {
            None => {
                comparison.is_within = false;
                format!("{figure}: {shown}, which is not in {FILE}")
            }
            Some(&limit) => {
                let change = (value / limit - 1.0) * 100.0;
                let is_within = value <= limit * (1.0 + ROOM);
                comparison.is_within &= is_within;
                let note = match is_within {
                    false => ": too much",
                    true if value < limit * (1.0 - ROOM) => ": better; commit it with --update",
                    true => "",
                };
                format!(
                    "{figure}: {shown}, committed {} ({change:+.1} %){note}",
                    number(limit, 1)
                )
            }
        };
        comparison.lines.push(line);
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(value: f64) -> Committed {
        Committed::from([("size.zip".to_owned(), value)])
    }

    #[test]
    fn three_percent_more_is_within_the_room() {
        let comparison = compare(&figures(1030.0), &figures(1000.0));
        assert!(comparison.is_within);
        assert_eq!(
            comparison.lines,
            ["size.zip: 1,030.0, committed 1,000.0 (+3.0 %)"]
        );
    }

    #[test]
    fn more_than_that_is_not() {
        let comparison = compare(&figures(1031.0), &figures(1000.0));
        assert!(!comparison.is_within);
        assert_eq!(
            comparison.lines,
            ["size.zip: 1,031.0, committed 1,000.0 (+3.1 %): too much"]
        );
    }

    #[test]
    fn an_improvement_should_be_committed() {
        let comparison = compare(&figures(900.0), &figures(1000.0));
        assert!(comparison.is_within);
        assert!(comparison.lines[0].ends_with(": better; commit it with --update"));
    }

    #[test]
    fn a_figure_that_is_not_committed_is_a_failure() {
        assert!(!compare(&figures(1.0), &Committed::new()).is_within);
    }
}
