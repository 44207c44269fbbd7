//! The log lines and compile errors in tables are those of the sources.

use super::page::Page;
use super::{assert_none, assert_one, files, pages, read};

/// The headings of the columns with log lines, in English and in Chinese.
const LOG_LINE: [&str; 2] = ["log line", "日志"];
/// The headings of the columns with compile errors.
const COMPILE_ERROR: [&str; 2] = ["compile error", "编译错误"];

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
    check(&LOG_LINE, &sources);
}

#[test]
fn compile_errors_are_those_of_the_tests() {
    let paths = files("tests/macros/ui", "stderr");
    check(&COMPILE_ERROR, &paths.iter().map(read).collect::<String>());
}

/// Compares the columns with these headings in all pages with the text.
#[track_caller]
fn check(headings: &[&str], text: &str) {
    let pages = pages();
    let has_column = |page: &&Page| {
        let mut tables = page.tables.iter();
        tables.any(|table| column(&table.header, headings).is_some())
    };
    assert!(
        pages.iter().any(|page| has_column(&page)),
        "no page has such a table"
    );
    assert_none(pages.iter().flat_map(|page| problems(page, headings, text)));
}

/// Returns the position of the column with one of these headings.
fn column(header: &[String], headings: &[&str]) -> Option<usize> {
    header
        .iter()
        .position(|name| headings.contains(&name.as_str()))
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
fn problems(page: &Page, headings: &[&str], text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for table in &page.tables {
        let Some(column) = column(&table.header, headings) else {
            continue;
        };
        for row in &table.rows {
            for line in row.cells[column].split('`').skip(1).step_by(2) {
                let pieces = line.split('…').flat_map(|part| part.split(": "));
                let missing = pieces
                    .map(str::trim)
                    .find(|piece| piece.len() > 1 && !text.contains(piece));
                if let Some(piece) = missing {
                    let message = format!("no source contains `{piece}`; copy the line again");
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
        problems(&Page::parse("page.md", text), &LOG_LINE, &source)
    };
    assert!(problems("dropped … lines: not read").is_empty());
    assert_one(&problems("dropped … lines: lost"), "page.md:3: ", "`lost`");
}
