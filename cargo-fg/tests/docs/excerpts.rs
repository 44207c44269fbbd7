//! A block with `<!-- from PATH -->` shows lines of that file.

use std::fs;

use super::page::{Block, Page};
use super::{assert_none, pages, root};

/// The lines of an excerpt that stand for omitted lines. In a language with comments, the line is a comment.
const OMITTED: [&str; 3] = ["…", "// …", "# …"];

#[test]
fn excerpts_are_lines_of_their_files() {
    assert_none(pages().iter().flat_map(problems));
}

fn problems(page: &Page) -> Vec<String> {
    let check = |block: &Block| {
        let path = block.marker("from")?;
        let Ok(file) = fs::read_to_string(root().join(path)) else {
            let message = format!("there is no file {path}; write a path from the root");
            return Some(page.problem(block.line, message));
        };
        let (line, text) = first_missing(&block.text, &file)?;
        let message =
            format!("{path} does not have these lines at this place; copy them again:\n{text}");
        Some(page.problem(block.line + 1 + line, message))
    };
    page.blocks.iter().filter_map(check).collect()
}

/// Returns the first piece of the excerpt that the file does not have after the pieces before it, with its line.
fn first_missing(excerpt: &str, file: &str) -> Option<(usize, String)> {
    let file: Vec<_> = file.lines().collect();
    let mut next = 0;
    let mut line = 0;
    let lines: Vec<_> = excerpt.lines().collect();
    for piece in lines.split(|line| OMITTED.contains(&line.trim())) {
        let start = line;
        line += piece.len() + 1;
        let wanted = dedent(piece);
        if wanted.is_empty() {
            continue;
        }
        let found = file[next..]
            .windows(wanted.len())
            .position(|window| dedent(window) == wanted);
        match found {
            Some(position) => next += position + wanted.len(),
            None => return Some((start, piece.join("\n"))),
        }
    }
    None
}

/// Removes the indentation that all lines share, and blank lines at the start and the end.
fn dedent<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let is_blank = |line: &&str| line.trim().is_empty();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let shared = lines.iter().filter(|line| !is_blank(line));
    let shared = shared.map(|line| indentation(line)).min().unwrap_or(0);
    let start = lines.iter().take_while(|line| is_blank(line)).count();
    let end = lines.iter().rev().take_while(|line| is_blank(line)).count();
    lines
        .get(start..lines.len() - end)
        .unwrap_or_default()
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().trim_end())
        .collect()
}

#[test]
fn excerpt_matches_pieces_in_order() {
    let file = "mod a {\n    fn one() {\n        1\n    }\n\n    fn two() {}\n}\n";
    assert_eq!(first_missing("fn one() {\n    1\n}\n", file), None);
    assert_eq!(
        first_missing("fn one() {\n// …\n\n    fn two() {}\n", file),
        None
    );
    assert_eq!(first_missing(file, file), None);
}

#[test]
fn wrong_excerpts_are_reported() {
    let file = "fn one() {\n    1\n}\nfn two() {}\n";
    for (excerpt, line) in [
        ("fn one() {\n    2\n}\n", 0),          // another line
        ("fn one() {\n}\n", 0),                 // a line is omitted without a mark
        ("fn two() {}\n// …\nfn one() {\n", 2), // another order
        ("fn one() {\n1\n}\n", 0),              // another indentation
        ("fn one() {\n// …\n}\nfn three() {}\n", 2),
    ] {
        let missing = first_missing(excerpt, file);
        assert_eq!(missing.map(|(line, _)| line), Some(line), "{excerpt}");
    }
}

#[test]
fn missing_file_is_reported() {
    let text = "<!-- from no/such.rs -->\n```rust\n```\n";
    let page = Page::parse("page.md", text);
    assert_eq!(
        problems(&page),
        ["page.md:2: there is no file no/such.rs; write a path from the root"]
    );
}
