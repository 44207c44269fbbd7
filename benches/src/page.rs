//! Writes the page `docs/performance.md` and its charts.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::catalog::GROUPS;
use crate::peers::PEERS;
use crate::results::Results;
use crate::svg::bar_chart;
use crate::table::Table;

const INTRODUCTION: &str = "\
# Performance

<!-- This page is written by `cargo run --release -p fg-extension-benches`. Edit the text in benches/src. -->

An extension shares the processor and the memory of the function's instance, and every cold start waits for it. This page compares
extensions built on fg-extension with the same jobs written in other ways, on one machine and in one run.

";

const METHOD: &str = "\
## How it is measured

There are two jobs. The first prints each invocation, as `examples/hello` does, and echoes it in the response. The second subscribes to
telemetry and reads the kind and the trace ID of each event. Programs in Rust are built for musl, with link-time optimization and with
unwinding. For fg-extension, [`cargo fg package`](guide/packaging.md) also sets flags for packed relocations and less inlining, and
compresses the ZIP more. With these flags, hyper by hand would be about 960 KB, and its ZIP 480 KB.

The [sources](../benches/peers) are short. The platform and the load generator are part of the benchmarks, and run on one CPU; the
measured process runs on another. Figures of memory, invocations and telemetry are medians of five rounds, and those of the start of 61
starts; clean builds and OTLP forwarding are measured once.

";

const RUN: &str = "\
## Run it yourself

<!-- not run: it takes half an hour -->
```console
$ cargo run --release -p fg-extension-benches
```

This builds all peers, measures them, prints the tables, and writes this page. Go, Node, Python and valgrind are used if they are
installed. The figures are also written to `docs/performance/results.json`. `--quick` takes a few samples of each
figure, and writes to `target/benches` instead; `--only` and `--peers` select what is measured, and write there as well. Ports 8081, 8085 and 8086 must be free, and the machine should be idle.

Sizes, the number of crates, and instruction counts can be repeated, so `.ci/run` and `.ci/full` compare them with
[`benches/figures.json`](../benches/figures.json), with 3 % of room:

<!-- not run: it builds for release -->
```console
$ cargo run --release -p fg-extension-benches -- check
```
";

/// The page: its text and its charts, which are in the directory `performance` next to it.
pub(crate) struct Page {
    pub(crate) text: String,
    charts: Vec<(&'static str, String)>,
}

impl Page {
    pub(crate) fn of(results: &Results) -> Self {
        let mut page = Self {
            text: INTRODUCTION.to_owned(),
            charts: Vec::new(),
        };
        page.label(results);
        page.peers(results);
        page.text += METHOD;
        for group in GROUPS {
            let Some(table) = Table::of_group(group, &results.figures) else {
                continue;
            };
            page.text += &format!("## {}\n\n{}\n", group.title, wrapped(group.text));
            for chart in group.charts {
                if let Some(svg) = bar_chart(chart, &results.figures) {
                    let file = chart.file;
                    page.text += &format!("![{}](performance/{file}.svg)\n\n", chart.title);
                    page.charts.push((file, svg));
                }
            }
            page.text += &table.markdown();
            page.text.push('\n');
        }
        page.text += RUN;
        page
    }

    fn label(&mut self, results: &Results) {
        if results.figures.is_empty() {
            self.text +=
                "> There are no figures yet. See [how to measure them](#run-it-yourself).\n\n";
            return;
        }
        if results.quick {
            self.text += "> These figures are from a quick run: they only show that the benchmarks work.\n\n";
        }
        self.text += &format!("| measured | {} |\n| --- | --- |\n", results.date);
        for (name, value) in results.machine.iter().chain(&results.versions) {
            self.text += &format!("| {name} | {} |\n", value.replace('|', "\\|"));
        }
        self.text.push('\n');
    }

    fn peers(&mut self, results: &Results) {
        self.text += "## The peers\n\n| name | what it is |\n| --- | --- |\n";
        for peer in PEERS {
            let missing = results.missing.get(peer.id);
            let missing = missing.map_or(String::new(), |it| format!(". Not measured: {it}"));
            self.text += &format!("| {} | {}{missing} |\n", peer.id, peer.description);
        }
        self.text.push('\n');
    }

    /// Writes `performance.md` and the directory `performance` into a directory.
    pub(crate) fn write(&self, to: &Path) -> anyhow::Result<()> {
        let charts = to.join("performance");
        let cannot = || format!("cannot write to {}", to.display());
        fs::create_dir_all(&charts).with_context(cannot)?;
        fs::write(to.join("performance.md"), &self.text).with_context(cannot)?;
        for (file, svg) in &self.charts {
            fs::write(charts.join(file).with_extension("svg"), svg).with_context(cannot)?;
        }
        Ok(())
    }
}

/// Breaks a paragraph into lines of at most 130 characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > 130 {
            lines.push('\n');
            length = 0;
        }
        if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines += word;
        length += word_length;
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::OURS;
    use crate::results::set;

    #[test]
    fn the_page_has_what_was_measured_and_says_what_is_missing() {
        let mut results = Results {
            date: "2026-11-27".to_owned(),
            ..Results::default()
        };
        set(&mut results.figures, "size.zip", OURS, 600.0);
        results
            .missing
            .insert("go".into(), "go is not installed".into());
        let page = Page::of(&results);
        assert!(page.text.contains("| measured | 2026-11-27 |"));
        assert!(page.text.contains("Not measured: go is not installed"));
        assert!(page.text.contains("## Size") && !page.text.contains("## Memory"));
        assert!(page.text.contains("(performance/size.svg)"));
        assert_eq!(page.charts.len(), 1);
    }

    #[test]
    fn paragraphs_are_broken_between_words() {
        let word = "a".repeat(64);
        assert_eq!(
            wrapped(&format!("{word} {word} b c")),
            format!("{word} {word}\nb c\n")
        );
        assert_eq!(wrapped("short"), "short\n");
    }

    #[test]
    fn the_committed_page_is_written_from_the_committed_results() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let results = fs::read_to_string(docs.join("performance/results.json")).unwrap();
        let page = Page::of(&serde_json::from_str(&results).unwrap());
        let hint = "run `cargo run -p fg-extension-benches -- page`";
        let committed = fs::read_to_string(docs.join("performance.md")).unwrap();
        assert!(
            page.text == committed,
            "docs/performance.md is outdated: {hint}"
        );
        for (file, svg) in &page.charts {
            let committed =
                fs::read_to_string(docs.join(format!("performance/{file}.svg"))).unwrap();
            assert!(
                *svg == committed,
                "docs/performance/{file}.svg is outdated: {hint}"
            );
        }
    }
}
