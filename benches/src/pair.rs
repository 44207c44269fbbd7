//! The memory of two extensions in one function: resident memory, and what remains if shared pages count once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::build::{Directories, package};
use crate::events::{self, Schema};
use crate::extension_process::ExtensionProcess;
use crate::load::{self, Stop};
use crate::machine;
use crate::platform::Platform;
use crate::stats::median;

/// The page that contains the table, between two comments.
const PAGE: &str = "docs/guide/several-extensions.md";
const BEGIN: &str =
    "<!-- written by `cargo run --release -p fg-extension-benches -- pair --update` -->\n";
const END: &str = "\n<!-- end of the table -->";

/// How often each set is measured.
const ROUNDS: usize = 5;

/// Invocations of each extension, and of the telemetry: three events each, in batches of 30.
const INVOCATIONS: u64 = 1000;

/// Longer than the flush interval of the forwarder, so that its buffer is empty.
const SETTLE: Duration = Duration::from_secs(6);

/// The examples: package and script name.
const HELLO: [&str; 2] = ["hello", "extensionHello.sh"];
const AUDIT_LOG: [&str; 2] = ["audit-log", "extensionAuditLog.sh"];
const ARCHIVE: [&str; 2] = ["telemetry-archive", "extensionTelemetryArchive.sh"];
const FORWARDER: [&str; 2] = ["otlp-forwarder", "extensionOtlpForwarder.sh"];

/// The extensions of a function, in the order in which they start.
const SETS: [&[[&str; 2]]; 9] = [
    &[HELLO],
    &[AUDIT_LOG],
    &[ARCHIVE],
    &[FORWARDER],
    &[HELLO, AUDIT_LOG],
    &[HELLO, ARCHIVE],
    &[HELLO, FORWARDER],
    &[ARCHIVE, FORWARDER],
    &[HELLO, HELLO],
];

/// Resident memory, and the same with shared pages counted once, in KB.
type Memory = [f64; 2];

/// Measures all sets, and prints the table.
pub(crate) fn run(update: bool) -> anyhow::Result<ExitCode> {
    let directories = Directories::find()?;
    let output = directories.output().join("pair");
    let mut scripts = BTreeMap::new();
    for [name, script] in [HELLO, AUDIT_LOG, ARCHIVE, FORWARDER] {
        eprintln!("   Packaging {name}");
        let staged = package(&directories, name, script, &output.join(name))?;
        scripts.insert(name, staged.script);
    }
    let mut rows = Vec::new();
    for set in SETS {
        eprintln!("   Measuring {}", title(set));
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(measure(set, &scripts, &output).with_context(|| title(set))?);
        }
        let medians = [0, 1, 2, 3].map(|column| {
            let values = rounds.iter().map(|it| it.as_flattened()[column]);
            median(&values.collect::<Vec<_>>())
        });
        rows.push((title(set), medians));
    }
    let table = format!("{}\n{}", when(&directories), table(&rows));
    println!("{table}");
    if update {
        let page = directories.root.join(PAGE);
        let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        fs::write(
            &page,
            with_table(&text, &table).context("no place for the table")?,
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says when the figures were measured, since a program can grow without a new table.
fn when(directories: &Directories) -> String {
    let versions = machine::versions(directories);
    let mut versions = versions.iter();
    let commit = versions.find_map(|(name, version)| (name == "fg-extension").then_some(version));
    let commit = commit.map_or("an unknown commit", String::as_str);
    format!("Measured on {}, at {commit}.\n", machine::date())
}

fn title(set: &[[&str; 2]]) -> String {
    match set {
        [[first, _], [second, _]] if first == second => format!("`{first}`, the same file twice"),
        _ => {
            let names: Vec<_> = set.iter().map(|[name, _]| format!("`{name}`")).collect();
            names.join(" and ")
        }
    }
}

/// Returns the memory of all extensions of a function together, idle and after the load.
fn measure(
    set: &[[&str; 2]],
    scripts: &BTreeMap<&str, PathBuf>,
    output: &Path,
) -> anyhow::Result<[Memory; 2]> {
    let platform = Platform::start()?;
    // Under one name, only one can register with a platform.
    let other = Platform::start()?;
    let mut processes = Vec::new();
    for (index, [name, _]) in set.iter().enumerate() {
        let is_repeated = set[..index].iter().any(|[it, _]| it == name);
        let mut environment = vec![
            ("AUDIT_LOG", output.join("audit.log").display().to_string()),
            (
                "ARCHIVE_FILE",
                output.join("telemetry.jsonl").display().to_string(),
            ),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", platform.address()),
            ),
        ];
        if is_repeated {
            environment.push(("FG_EXTENSION_PORT", "8090".to_owned()));
        }
        let platform = if is_repeated { &other } else { &platform };
        processes.push(ExtensionProcess::start(
            &scripts[name],
            &environment,
            platform,
        )?);
    }
    let subscribes = set.iter().any(|it| *it == ARCHIVE || *it == FORWARDER);
    let telemetry = match subscribes {
        true => Some(platform.wait_for_subscription()?),
        false => None,
    };
    thread::sleep(Duration::from_millis(500));
    let idle = memory(&processes)?;
    for process in &processes {
        let request = [events::invocation()];
        load::run(
            process.address,
            &request,
            None,
            1,
            Stop::Requests(INVOCATIONS),
        )?;
    }
    if let Some(telemetry) = telemetry {
        let batches = events::batches(Schema::FunctionGraph, 30);
        load::run(
            telemetry,
            &batches,
            None,
            1,
            Stop::Requests(INVOCATIONS * 3 / 30),
        )?;
    }
    thread::sleep(SETTLE);
    let loaded = memory(&processes)?;
    for process in processes {
        process.terminate(Duration::from_secs(10))?;
    }
    Ok([idle, loaded])
}

fn memory(processes: &[ExtensionProcess]) -> anyhow::Result<Memory> {
    let mut sum = [0.0; 2];
    for process in processes {
        let sample = process.sample()?;
        sum[0] += sample.rss as f64 / 1e3;
        sum[1] += sample.pss as f64 / 1e3;
    }
    Ok(sum)
}

fn table(rows: &[(String, [f64; 4])]) -> String {
    let mut table = "| extensions | idle: RSS | PSS | after the load: RSS | PSS |\n| --- | ---: | ---: | ---: | ---: |\n".to_owned();
    for (title, values) in rows {
        let values = values.map(|it| crate::table::number(it, 0));
        table += &format!("| {title} | {} |\n", values.join(" | "));
    }
    table
}

/// Returns the page with the table in its place.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_by_their_extensions() {
        assert_eq!(title(&[HELLO]), "`hello`");
        assert_eq!(title(&[HELLO, AUDIT_LOG]), "`hello` and `audit-log`");
        assert_eq!(title(&[HELLO, HELLO]), "`hello`, the same file twice");
    }

    #[test]
    fn the_table_replaces_the_one_before() {
        let rows = [("`a`".to_owned(), [1000.4, 2.0, 3.0, 4.0])];
        let page = format!("a\n\n{BEGIN}\nold{END}\n\nb\n");
        let page = with_table(&page, &table(&rows)).unwrap();
        assert!(page.contains("| `a` | 1,000 | 2 | 3 | 4 |\n") && !page.contains("old"));
        assert_eq!(with_table(&page, &table(&rows)), Some(page));
        assert_eq!(with_table("a", "b"), None);
    }

    #[test]
    fn the_guide_has_a_place_for_the_table_and_a_row_for_each_set() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
        let page = fs::read_to_string(page).unwrap();
        assert!(with_table(&page, "").is_some());
        for set in SETS {
            assert!(
                page.contains(&format!("\n| {} | ", title(set))),
                "{}",
                title(set)
            );
        }
    }
}
