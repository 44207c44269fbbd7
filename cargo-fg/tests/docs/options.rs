//! `docs/reference/cargo-fg.md` has every subcommand, argument and option of `--help`, and no others.

use std::collections::BTreeSet;
use std::process::Command;

use super::page::Page;
use super::tables::compare;

const PAGE: &str = "docs/reference/cargo-fg.md";

#[test]
fn every_option_is_in_the_reference() {
    let page = Page::read(PAGE);
    let mut subcommands = entries(&help(&[]), "Commands:");
    subcommands.remove("help");
    let headings = page.headings.iter().filter(|heading| heading.level == 2);
    let documented = headings
        .filter_map(|heading| heading.text.trim_matches('`').strip_prefix("cargo fg "))
        .map(str::to_owned);
    compare(PAGE, "`cargo fg` has", &subcommands, &documented.collect());
    for name in &subcommands {
        let actual = arguments_and_options(&help(&[name]));
        let documented = documented_options(&page, name);
        compare(
            PAGE,
            &format!("`cargo fg {name}` has"),
            &actual,
            &documented,
        );
    }
}

/// Returns the arguments and options in the help of a subcommand, except `--help`.
fn arguments_and_options(help: &str) -> BTreeSet<String> {
    let mut entries = &entries(help, "Arguments:") | &entries(help, "Options:");
    entries.retain(|entry| !entry.ends_with("--help"));
    entries
}

/// Returns the arguments and options in the tables below the subcommand's heading.
fn documented_options(page: &Page, subcommand: &str) -> BTreeSet<String> {
    let section = format!("`cargo fg {subcommand}`");
    let tables = page.tables.iter().filter(|table| {
        table.section == section && ["option", "argument"].contains(&table.header[0].as_str())
    });
    let rows = tables.flat_map(|table| &table.rows);
    rows.map(|row| row.cells[0].replace(['`', '[', ']'], ""))
        .collect()
}

/// Returns the entries of a list in clap's short help, such as `-p, --package NAME`.
fn entries(help: &str, list: &str) -> BTreeSet<String> {
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
fn options_are_read_from_help_and_tables() {
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
    let page = Page::parse("page.md", text);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let actual: BTreeSet<_> = names(&["--list", "-p, --package NAME", "CASE"]);
    assert_eq!(arguments_and_options(help), actual);
    let documented: BTreeSet<_> = names(&["-p, --package FILE", "CASE"]);
    assert_eq!(documented_options(&page, "check"), documented);
    assert!(documented_options(&page, "dev").is_empty());
}
