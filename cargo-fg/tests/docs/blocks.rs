//! Each block has a language that is tested, and is valid in that language.

use std::process::{Command, Stdio};

use super::page::{Block, Page};
use super::{assert_none, assert_one, pages};

#[test]
fn blocks_are_tested_by_their_language() {
    assert_none(pages().iter().flat_map(problems));
}

fn problems(page: &Page) -> Vec<String> {
    let mut problems = Vec::new();
    for block in &page.blocks {
        if let Err(message) = check(block) {
            problems.push(page.problem(block.line, message));
        }
    }
    // mdBook inserts the file, but a code host does not.
    for (i, line) in page.text.lines().enumerate() {
        if line.contains("{{#") {
            let message = "`{{#…}}` is for mdBook only; copy the lines instead";
            problems.push(page.problem(i + 1, message));
        }
    }
    problems
}

fn check(block: &Block) -> Result<(), String> {
    let is_excerpt = block.marker("from").is_some();
    match block.language.as_str() {
        // `excerpts` compares the block with the file.
        _ if is_excerpt => Ok(()),
        "rust" => Err(
            "a program is an excerpt of a file that is compiled; write `<!-- from PATH -->` before it"
                .to_owned(),
        ),
        // `console` runs the commands.
        "console" => match block.marker("not run") {
            Some("") => Err("say why it is not run: `<!-- not run: REASON -->`".to_owned()),
            None if !block.text.starts_with("$ ") => Err(
                "a console block starts with `$ COMMAND`; show other output as ```text".to_owned(),
            ),
            _ => Ok(()),
        },
        "text" => Ok(()),
        "toml" => block.text.parse::<toml::Table>().map(drop).map_err(|error| error.to_string()),
        "json" => json(&block.text),
        "sh" => parse_by(&["sh", "-n"], &block.text),
        "python" => parse_by(&["python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())"], &block.text),
        "" => Err("the block has no language; write ```text for other text".to_owned()),
        other => Err(format!(
            "`{other}` is not tested; use rust, console, toml, json, sh, python or text, or `<!-- from PATH -->`"
        )),
    }
}

/// One value, or one value per line.
fn json(text: &str) -> Result<(), String> {
    let whole = serde_json::from_str::<serde_json::Value>(text);
    let each = || {
        let mut lines = text.lines();
        lines.try_for_each(|line| serde_json::from_str::<serde_json::Value>(line).map(drop))
    };
    match whole {
        Err(error) if each().is_err() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Passes the text to a parser on standard input.
fn parse_by(command: &[&str], text: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("block");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(command[0])
        .args(&command[1..])
        .stdin(std::fs::File::open(&file).unwrap())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command[0]))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn valid_blocks_are_accepted() {
    let text = "\
```toml
a = 1
```
```json
{\"a\": 1}
{\"b\": 2}
```
```sh
exec \"$0\"
```
```python
print(1)
```
<!-- not run: needs a second terminal -->
```console
$ ls
```
";
    let page = Page::parse("page.md", text);
    assert_eq!(page.blocks.len(), 5);
    assert_eq!(problems(&page), [""; 0]);
}

#[test]
fn invalid_blocks_are_reported() {
    for (text, message) in [
        ("```rust\nfn f() {}\n```\n", "a program is an excerpt"),
        ("```\nx\n```\n", "the block has no language"),
        ("```haskell\nx\n```\n", "`haskell` is not tested"),
        ("```toml\na =\n```\n", "TOML parse error"),
        ("```json\n{\"a\": 1,}\n```\n", "trailing comma"),
        ("```sh\nif\n```\n", "yntax error"),
        ("```python\nif\n```\n", "SyntaxError"),
        ("```console\noutput\n```\n", "a console block starts with"),
        (
            "<!-- not run: -->\n```console\n$ ls\n```\n",
            "say why it is not run",
        ),
        ("{{#include a.md}}\n", "is for mdBook only"),
    ] {
        let page = Page::parse("page.md", text);
        assert_one(&problems(&page), "page.md:", message);
    }
}
