//! Tables, as text for the terminal and as Markdown for the page.

use crate::catalog::Group;
use crate::peers::PEERS;
use crate::results::{Figures, get};

/// Rows of cells; the first row is the heading, and the first column is aligned to the left.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// Returns the table of a group, or `None` if nothing in it was measured. Peers without any value are left out.
    pub(crate) fn of_group(group: &Group, figures: &Figures) -> Option<Self> {
        let headings = group.columns.iter().map(|it| it.heading.to_owned());
        let mut rows = vec![std::iter::once(String::new()).chain(headings).collect()];
        for peer in PEERS {
            let values: Vec<_> = group
                .columns
                .iter()
                .map(|it| get(figures, it.figure, peer.id).map(|value| number(value, it.digits)))
                .collect();
            if values.iter().any(Option::is_some) {
                let mut row = vec![peer.id.to_owned()];
                row.extend(
                    values
                        .into_iter()
                        .map(|it| it.unwrap_or_else(|| "–".into())),
                );
                rows.push(row);
            }
        }
        (rows.len() > 1).then_some(Self(rows))
    }

    pub(crate) fn text(&self) -> String {
        let widths: Vec<_> = (0..self.columns()).map(|it| self.width(it)).collect();
        let mut text = String::new();
        for row in &self.0 {
            let mut line = String::new();
            for (index, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += &match index {
                    0 => format!("{cell:width$}"),
                    _ => format!("  {cell:>width$}"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.0.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if index == 0 {
                text += &format!("| --- |{}\n", " ---: |".repeat(self.columns() - 1));
            }
        }
        text
    }

    fn columns(&self) -> usize {
        self.0.first().map_or(1, Vec::len)
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.0.iter().filter_map(|row| row.get(column));
        cells.map(|it| it.chars().count()).max().unwrap_or(0)
    }
}

/// Formats a number with digits after the point, and with commas between thousands.
pub(crate) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::catalog::GROUPS;
    use crate::results::set;

    fn table() -> Table {
        let mut figures = Figures::new();
        set(&mut figures, "size.program", "python", 1.25);
        set(&mut figures, "size.program", "fg-extension", 1_357.0);
        set(&mut figures, "size.zip", "fg-extension", 670.44);
        let group = GROUPS.iter().find(|it| it.id == "size").unwrap();
        Table::of_group(group, &figures).unwrap()
    }

    #[test]
    fn text_is_aligned() {
        expect![[r#"
                          program    ZIP
            fg-extension  1,357.0  670.4
            python            1.2      –
        "#]]
        .assert_eq(&table().text());
    }

    #[test]
    fn markdown_has_one_line_per_peer() {
        expect![[r#"
            |  | program | ZIP |
            | --- | ---: | ---: |
            | fg-extension | 1,357.0 | 670.4 |
            | python | 1.2 | – |
        "#]]
        .assert_eq(&table().markdown());
    }

    #[test]
    fn a_group_without_values_has_no_table() {
        assert!(
            GROUPS
                .iter()
                .all(|it| Table::of_group(it, &Figures::new()).is_none())
        );
    }

    #[test]
    fn thousands_are_grouped() {
        let numbers = [
            (0.0, 0),
            (12.0, 1),
            (999.9, 0),
            (1234.5, 1),
            (2_030_000.0, 0),
        ];
        let numbers = numbers.map(|(value, digits)| number(value, digits));
        assert_eq!(numbers, ["0", "12.0", "1,000", "1,234.5", "2,030,000"]);
    }
}
