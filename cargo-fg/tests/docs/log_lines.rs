//! The log lines in the table of `docs/guide/bad-days.md` are lines that the sources write.

use super::page::Page;
use super::{assert_none, assert_one, files, read};

const PAGE: &str = "docs/guide/bad-days.md";
/// The heading of the column with the lines.
const COLUMN: &str = "log line";

#[test]
fn log_lines_are_in_the_sources() {
    let packages = [
        "fg-extension/src",
        "fg-extension-otlp/src",
        "fg-secrets-cache/src",
    ];
    let paths = packages.iter().flat_map(|package| files(package, "rs"));
    let paths = paths.filter(|path| !path.to_string_lossy().contains("tests"));
    let sources: String = paths.map(|path| code(&read(path))).collect();
    let page = Page::read(PAGE);
    let lines = page.tables.iter().flat_map(|table| &table.rows).count();
    assert!(lines > 10, "{PAGE} has no table");
    assert_none(problems(&page, &sources));
}

/// Returns the source without comments and tests, with each literal in one line.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next();
    let lines = source.unwrap_or_default().lines().map(str::trim_start);
    let code = lines.filter(|line| !line.starts_with("//"));
    code.map(|line| match line.strip_suffix('\\') {
        Some(start) => start.to_owned(),
        None => format!("{line}\n"),
    })
    .collect()
}

/// Each line consists of pieces between values (`…`) and colons. A source must contain each piece.
fn problems(page: &Page, sources: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for table in &page.tables {
        let Some(column) = table.header.iter().position(|name| name == COLUMN) else {
            continue;
        };
        for row in &table.rows {
            for line in row.cells[column].split('`').skip(1).step_by(2) {
                let pieces = line.split('…').flat_map(|part| part.split(": "));
                let missing = pieces
                    .map(str::trim)
                    .find(|piece| piece.len() > 1 && !sources.contains(piece));
                if let Some(piece) = missing {
                    let message =
                        format!("no log line contains `{piece}`; copy it from the source");
                    problems.push(page.problem(row.line, message));
                }
            }
        }
    }
    problems
}

#[test]
fn line_that_nothing_writes_is_reported() {
    let source = code("// dropped\nwarn!(\n    \"dropped {n} lines: \\\n     not read\"\n);\n");
    let problems = |line: &str| {
        let text = format!("| what | log line |\n| --- | --- |\n| it | `{line}` |\n");
        problems(&Page::parse("page.md", text), &source)
    };
    assert!(problems("dropped … lines: not read").is_empty());
    assert_one(&problems("dropped … lines: lost"), "page.md:3: ", "`lost`");
}
