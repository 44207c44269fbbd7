//! The reference tables match the source code, and rows that are repeated elsewhere are equal to those of the tables.

use std::collections::{BTreeMap, BTreeSet};

use fg_emulator::Fault;

use super::page::{Page, Row, Table};
use super::{assert_none, assert_one, files, pages, read};

const SETTINGS: &str = "docs/reference/settings.md";
const ATTRIBUTE: &str = "docs/reference/attribute.md";
const COMMAND: &str = "docs/reference/cargo-fg.md";

/// The headings of the first column in tables whose rows may be repeated elsewhere.
const KEYS: [&str; 3] = ["setting", "argument", "method attribute"];

/// The OpenTelemetry signals, as written in the names of settings.
const SIGNALS: [&str; 3] = ["LOGS", "METRICS", "TRACES"];

#[test]
fn every_setting_that_is_read_is_in_the_table() {
    let page = Page::read(SETTINGS);
    let mut actual = BTreeSet::new();
    let packages = [
        "fg-extension/src",
        "fg-extension-otlp/src",
        "fg-secrets-cache/src",
        // The names that several crates use.
        "fg-signature/src",
        "fg-util/src",
    ];
    for package in packages {
        for path in files(package, "rs") {
            // `removed.rs` reads removed settings to warn about them. Tests have variables of their own.
            let left_out = ["/removed.rs", "tests", "/simulation/"];
            let path_text = path.to_string_lossy();
            if !left_out.iter().any(|part| path_text.contains(part)) {
                actual.extend(settings(&read(&path)));
            }
        }
    }
    let documented = keys(&page, "setting").flat_map(|key| each_signal(&key));
    compare(SETTINGS, "the sources read", &actual, &documented.collect());
}

#[test]
fn every_argument_is_in_the_table() {
    let page = Page::read(ATTRIBUTE);
    let source = read("fg-extension-macros/src/parse/arguments.rs");
    let accepted: BTreeSet<_> = ["Key::named(", "Key::list("]
        .into_iter()
        .flat_map(|call| source.split(call).skip(1))
        .filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect();
    let documented = keys(&page, "argument").collect();
    compare(ATTRIBUTE, "the attribute accepts", &accepted, &documented);

    let source = read("fg-extension-macros/src/parse/role.rs");
    let roles: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .map(|(_, name)| format!("#[{}]", name.trim_end_matches("\",")))
        .collect();
    let documented = keys(&page, "method attribute").collect();
    compare(ATTRIBUTE, "the macro reads", &roles, &documented);
}

#[test]
fn every_fault_is_in_the_table() {
    let page = Page::read(COMMAND);
    let row = |fault: &Fault| (format!("`{fault}`"), fault.description().to_owned());
    let documented: Vec<_> = rows(&page, "fault")
        .map(|row| (row.cells[0].clone(), row.cells[1].clone()))
        .collect();
    assert_eq!(documented, Fault::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn every_event_and_its_fields_are_in_the_table() {
    let page = Page::read(COMMAND);
    let events = variants(&read("cargo-fg/src/dev/event.rs"), "enum DevEvent");
    let names = events.keys().cloned().collect();
    let documented = keys(&page, "event").collect();
    compare(COMMAND, "`dev` emits", &names, &documented);
    for row in rows(&page, "event") {
        let fields: BTreeSet<_> = code(&row.cells[0])
            .iter()
            .flat_map(|name| events[name].clone())
            .collect();
        let documented: BTreeSet<_> = code(&row.cells[1]).into_iter().collect();
        let missing: Vec<_> = fields.difference(&documented).collect();
        assert!(
            missing.is_empty(),
            "{COMMAND}:{}: {} also has the fields {missing:?}",
            row.line,
            row.cells[0]
        );
    }
}

/// Returns the variants of an enum in lower case, each with its fields, from formatted source code.
fn variants(source: &str, name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let body = source
        .split(name)
        .nth(1)
        .and_then(|after| after.split("\n}\n").next());
    let mut variants: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in body.expect("the source contains the enum").lines() {
        let mut fields = line.trim();
        if line.starts_with("    ")
            && line
                .trim_start()
                .starts_with(|c: char| c.is_ascii_uppercase())
        {
            let end = fields
                .find(|c: char| !c.is_alphanumeric())
                .unwrap_or(fields.len());
            current = kebab_case(&fields[..end]);
            variants.entry(current.clone()).or_default();
            fields = fields[end..].trim_start_matches([' ', '{']);
        }
        // In a line with several fields, `, ` separates them.
        for field in fields.split(", ") {
            let field = field.trim().split_once(": ").map(|(field, _)| field);
            let is_name = |field: &&str| field.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if let Some(field) = field.filter(is_name)
                && let Some(variant) = variants.get_mut(&current)
            {
                variant.insert(field.to_owned());
            }
        }
    }
    variants
}

#[test]
fn copies_of_rows_are_equal() {
    let sources = [SETTINGS, ATTRIBUTE].map(Page::read);
    let packages = [
        "fg-extension/src",
        "fg-extension-macros/src",
        "fg-extension-otlp/src",
    ];
    let docs = packages.iter().flat_map(|package| files(package, "rs"));
    let docs = docs.map(|path| {
        let text = doc_comments(&read(&path));
        Page::parse(path, text)
    });
    let is_source = |page: &Page| sources.iter().any(|source| source.path == page.path);
    let pages = pages()
        .into_iter()
        .filter(|page| !is_source(page))
        .chain(docs);
    assert_none(pages.flat_map(|page| copy_problems(&page, &sources)));
}

/// Returns the names in the first cells of the rows of [`rows`].
fn keys(page: &Page, column: &'static str) -> impl Iterator<Item = String> {
    rows(page, column).flat_map(|row| code(&row.cells[0]))
}

fn rows<'a>(page: &'a Page, column: &'static str) -> impl Iterator<Item = &'a Row> {
    let tables = page.tables.iter();
    let tables = tables.filter(move |table| table.header[0] == column);
    tables.flat_map(|table| &table.rows)
}

/// Returns each piece of code in a cell, without text in parentheses: `#[telemetry(…)]` becomes `#[telemetry]`.
fn code(cell: &str) -> Vec<String> {
    let code = cell.split('`').skip(1).step_by(2);
    code.map(|code| match (code.find('('), code.rfind(')')) {
        (Some(start), Some(end)) => format!("{}{}", &code[..start], &code[end + 1..]),
        _ => code.to_owned(),
    })
    .collect()
}

/// Returns the names of settings that are string literals in a file. A literal with a placeholder for the signal results in
/// one name per signal.
fn settings(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let source = source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    for line in code {
        if let Some((_, after)) = line.split_once("for_signal(signal, \"") {
            let suffix = after.split('"').next().unwrap_or_default();
            names.extend(each_signal(&format!("OTEL_EXPORTER_OTLP_SIGNAL_{suffix}")));
            names.insert(format!("OTEL_EXPORTER_OTLP_{suffix}"));
        }
        for literal in line.split('"').skip(1).step_by(2) {
            let prefixes = [
                "FG_",
                "OTEL_",
                "RUNTIME_",
                "EXTENSION_API_",
                "SSL_",
                "HUAWEICLOUD_",
                "HW_",
            ];
            let is_setting = prefixes.iter().any(|prefix| literal.starts_with(prefix))
                || literal.ends_with("_PROXY");
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_' || c == '{' || c == '}';
            if is_setting && literal.chars().all(is_name) && !literal.ends_with('_') {
                names.extend(each_signal(&literal.replace("{}", "SIGNAL")));
            }
        }
    }
    names
}

/// Returns the name with each signal in place of `SIGNAL`.
fn each_signal(name: &str) -> BTreeSet<String> {
    SIGNALS
        .iter()
        .map(|signal| name.replace("<SIGNAL>", "SIGNAL").replace("SIGNAL", signal))
        .collect()
}

/// Fails if names are not documented on the page, or documented names do not exist. `who` is the start of a sentence about
/// the former, such as "the sources read".
#[track_caller]
pub(super) fn compare(
    path: &str,
    who: &str,
    actual: &BTreeSet<String>,
    documented: &BTreeSet<String>,
) {
    let missing: Vec<_> = actual.difference(documented).collect();
    let unknown: Vec<_> = documented.difference(actual).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{path}: {who} {missing:?}, which are not documented; {unknown:?} are documented, but do not exist"
    );
}

/// Compares each row of a page with the row of the sources that has the same first cell.
fn copy_problems(page: &Page, sources: &[Page]) -> Vec<String> {
    let mut originals: BTreeMap<String, (&Table, &Row)> = BTreeMap::new();
    let tables = sources.iter().flat_map(|source| &source.tables);
    for table in tables.filter(|table| KEYS.contains(&table.header[0].as_str())) {
        for row in &table.rows {
            originals.insert(row.cells[0].clone(), (table, row));
        }
    }
    let mut problems = Vec::new();
    for table in &page.tables {
        for row in &table.rows {
            let Some((source, original)) = originals.get(&row.cells[0]) else {
                continue;
            };
            // In a table about another subject, a name such as `name` has another meaning.
            if row.cells[0].starts_with("`FG_") || table.header[0] == source.header[0] {
                problems.extend(row_problems(page, (table, row), (source, original)));
            }
        }
    }
    problems
}

fn row_problems(page: &Page, copy: (&Table, &Row), original: (&Table, &Row)) -> Vec<String> {
    let key = &copy.1.cells[0];
    let mut problems = Vec::new();
    for (column, cell) in copy.0.header.iter().zip(&copy.1.cells).skip(1) {
        let position = original.0.header.iter().position(|name| name == column);
        let message = match position.map(|position| &original.1.cells[position]) {
            Some(wanted) if wanted == cell => continue,
            Some(wanted) => {
                format!("the {column} of {key} differs from the reference page; write: {wanted}")
            }
            None => format!(
                "the table of {key} in the reference has no column `{column}`; it has {:?}",
                original.0.header
            ),
        };
        problems.push(page.problem(copy.1.line, message));
    }
    problems
}

/// Returns the documentation comments of a Rust file, each on its original line.
fn doc_comments(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim_start();
        let comment = line
            .strip_prefix("//!")
            .or_else(|| line.strip_prefix("///"));
        let comment = comment.unwrap_or_default();
        format!("{}\n", comment.strip_prefix(' ').unwrap_or(comment))
    });
    lines.collect()
}

#[test]
fn settings_are_found_in_sources() {
    let source = "
        // \"FG_COMMENT\"
        let a = self.get(\"FG_LOG\")?;
        let b = format!(\"OTEL_{}_EXPORTER\", signal);
        .for_signal(signal, \"HEADERS\", parse)
        let message = \"FG_LOG is wrong\";
#[cfg(test)]
mod tests {
        let c = self.get(\"FG_TEST\");
";
    let names: Vec<_> = settings(source).into_iter().collect();
    assert_eq!(
        names,
        [
            "FG_LOG",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "OTEL_LOGS_EXPORTER",
            "OTEL_METRICS_EXPORTER",
            "OTEL_TRACES_EXPORTER"
        ]
    );
}

/// Returns the name of a variant as serde renames it.
fn kebab_case(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[test]
fn variants_of_an_enum_are_found() {
    let source = "\
enum Event<'a> {
    /// Nothing more: no fields.
    Frozen,
    FunctionExited,
    Failed { message: String },
    Fault { fault: &'a str, what: u8 },
    Invoked(Report),
    Lost {
        events: usize,
    },
}
struct Other {
    field: u8,
}
";
    let variants = variants(source, "enum Event");
    let variants: Vec<_> = variants
        .iter()
        .map(|(name, fields)| {
            format!(
                "{name} {}",
                fields.iter().cloned().collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    assert_eq!(
        variants,
        [
            "failed message",
            "fault fault what",
            "frozen ",
            "function-exited ",
            "invoked ",
            "lost events"
        ]
    );
}

#[test]
#[should_panic(
    expected = "the sources read [\"A\"], which are not documented; [\"C\"] are documented"
)]
fn missing_and_unknown_names_are_reported() {
    let names = |names: [&str; 2]| names.map(str::to_owned).into();
    compare(
        "page.md",
        "the sources read",
        &names(["A", "B"]),
        &names(["B", "C"]),
    );
}

#[test]
fn rows_that_differ_are_reported() {
    let source = "\
| setting | default | range | effect |
| --- | --- | --- | --- |
| `FG_LOG` | `warn` | a | b, see [x](y.md) |
";
    let sources = [Page::parse("source.md", source)];
    let copy = |header: &str, row: &str| {
        let text = doc_comments(&format!("//! {header}\n//! | --- | --- |\n//! {row}\n"));
        copy_problems(&Page::parse("lib.rs", text), &sources)
    };
    assert_eq!(
        copy("| setting | effect |", "| `FG_LOG` | b, see x |"),
        [""; 0]
    );
    assert_eq!(copy("| field | effect |", "| `name` | c |"), [""; 0]);
    for (header, row, message) in [
        (
            "| setting | effect |",
            "| `FG_LOG` | c |",
            "the effect of `FG_LOG` differs",
        ),
        (
            "| setting | use |",
            "| `FG_LOG` | b, see x |",
            "has no column `use`",
        ),
        (
            "| variable | default |",
            "| `FG_LOG` | `info` |",
            "write: `warn`",
        ),
    ] {
        assert_one(&copy(header, row), "lib.rs:3: ", message);
    }
}
