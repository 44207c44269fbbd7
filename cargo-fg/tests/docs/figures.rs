//! Figures of other pages are those of `docs/performance.md`, which the benchmarks write.

use super::page::Page;
use super::{assert_none, assert_one};

const PERFORMANCE: &str = "docs/performance.md";
/// The page whose tables compare measurements.
const PAGE: &str = "docs/comparison.md";
const UNITS: [&str; 3] = ["KB", "ms", "µs"];

#[test]
fn figures_are_measured() {
    let performance = Page::read(PERFORMANCE);
    assert_none(problems(&Page::read(PAGE), &cells(&performance)));
}

fn cells(page: &Page) -> Vec<&str> {
    let rows = page.tables.iter().flat_map(|table| &table.rows);
    rows.flat_map(|row| &row.cells)
        .map(String::as_str)
        .collect()
}

/// Returns the figures with a unit in the tables of the page that are not among those that were measured.
fn problems(page: &Page, measured: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for row in page.tables.iter().flat_map(|table| &table.rows) {
        for cell in &row.cells {
            let Some((figure, unit)) = cell.split_once(' ') else {
                continue;
            };
            if UNITS.contains(&unit) && !measured.contains(&figure) {
                let message = format!("{PERFORMANCE} has no figure {figure}; copy it again");
                problems.push(page.problem(row.line, message));
            }
        }
    }
    problems
}

#[test]
fn other_figures_are_reported() {
    let text = "| a | b |\n| --- | --- |\n| 1.08 ms | 5 s |\n| 987 KB | 988 KB |\n";
    let page = Page::parse("page.md", text);
    let message = "docs/performance.md has no figure 988";
    assert_one(&problems(&page, &["1.08", "987"]), "page.md:4: ", message);
}
