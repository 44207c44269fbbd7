//! `docs/reference/cargo-fg.md` has every subcommand, argument and option of `--help`, and no others.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::assert_none;
use super::page::Page;

const PAGE: &str = "docs/reference/cargo-fg.md";

#[test]
fn every_option_is_in_the_reference() {
    let page = Page::read(Path::new(PAGE));
    let subcommands: BTreeSet<_> = entries(&help(&[]), "Commands:").into_iter().collect();
    let mut problems = Vec::new();
    for name in subcommands.iter().filter(|name| *name != "help") {
        problems.extend(problems_of(&page, name, &help(&[name])));
    }
    for heading in page.headings.iter().filter(|heading| heading.level == 2) {
        let name = heading.text.trim_matches('`').strip_prefix("cargo fg ");
        if let Some(name) = name.filter(|name| !subcommands.contains(*name)) {
            problems.push(page.problem(1, format!("there is no subcommand `{name}`")));
        }
    }
    assert_none(&problems);
}

/// Compares the tables below the subcommand's heading with its help.
fn problems_of(page: &Page, subcommand: &str, help: &str) -> Vec<String> {
    let section = format!("`cargo fg {subcommand}`");
    let tables = page.tables.iter().filter(|table| {
        let is_list =
            matches!(&table.header[..], [first, ..] if first == "option" || first == "argument");
        is_list && table.section == section
    });
    let rows: Vec<_> = tables.flat_map(|table| &table.rows).collect();
    let actual: BTreeSet<_> = ["Arguments:", "Options:"]
        .into_iter()
        .flat_map(|list| entries(help, list))
        .filter(|entry| !entry.ends_with("--help"))
        .collect();
    let mut problems = Vec::new();
    let mut documented = BTreeSet::new();
    for row in rows {
        let entry = row.cells[0].replace('`', "");
        if !actual.contains(&entry) {
            problems.push(page.problem(
                row.line,
                format!("`cargo fg {subcommand}` has no `{entry}`; it has {actual:?}"),
            ));
        }
        documented.insert(entry);
    }
    for entry in actual.difference(&documented) {
        problems.push(page.problem(
            1,
            format!("the first table below {section} has no row for `{entry}` of `cargo fg {subcommand} --help`"),
        ));
    }
    problems
}

/// Returns the entries of a list in clap's short help, as in `-p, --package NAME`.
fn entries(help: &str, list: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != list).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    lines
        .map(|line| {
            let entry = line.trim().split("  ").next().unwrap_or_default();
            entry
                .replace(['<', '>', '[', ']'], "")
                .trim_end_matches("...")
                .to_owned()
        })
        .collect()
}

fn help(subcommand: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-fg"))
        .arg("fg")
        .args(subcommand)
        .arg("-h")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn missing_and_unknown_options_are_reported() {
    let help = "\
Arguments:
  [CASE]...  Cases

Options:
  -p, --package <NAME>  Package
      --list            List
  -h, --help            Print help
";
    let text = "\
## `cargo fg check`

| option | effect |
| --- | --- |
| `CASE` | a |
| `-p, --package FILE` | b |
";
    let page = Page::parse("page.md", text.to_owned());
    let problems = problems_of(&page, "check", help);
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems[0].starts_with("page.md:6: `cargo fg check` has no `-p, --package FILE`"));
    assert!(problems[1].contains("no row for `--list`"));
    assert!(problems[2].contains("no row for `-p, --package NAME`"));
}
