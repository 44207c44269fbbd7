//! The commands: a run, the check, and the page.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::RunArguments;
use crate::build::{self, Directories, Hello, Staged, crate_count, package};
use crate::catalog::GROUPS;
use crate::check::{self, Committed, compare};
use crate::cpu::Cpus;
use crate::measure::{Bench, count_event, count_invocation, count_otlp};
use crate::page::Page;
use crate::peers::{OURS, PEERS};
use crate::plan::Plan;
use crate::results::Results;
use crate::table::Table;
use crate::{bars, machine};

/// Builds the peers, measures them, and writes the results.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let groups = select(&arguments.only, GROUPS, |it| it.id, "group")?;
    let peers = select(&arguments.peers, PEERS, |it| it.id, "peer")?;
    let directories = Directories::find()?;
    let start = Instant::now();
    let mut results = Results {
        date: machine::date(),
        quick: arguments.quick,
        machine: machine::machine(),
        versions: machine::versions(&directories),
        ..Results::default()
    };
    let mut built = Vec::new();
    for peer in peers {
        status("Building", peer.id);
        match build::build(&directories, peer)
            .with_context(|| format!("cannot build {}", peer.id))?
        {
            Ok(peer) => built.push(peer),
            Err(reason) => {
                status("Skipping", &format!("{}: {reason}", peer.id));
                results.missing.insert(peer.id.to_owned(), reason);
            }
        }
    }
    let needs_forwarder = groups.iter().any(|it| it.id == "otlp");
    let needs_forwarder = needs_forwarder && built.iter().any(|it| it.peer.id == OURS);
    let forwarder = match needs_forwarder {
        true => Some(forwarder(&directories)?),
        false => None,
    };
    // Clean builds use all CPUs, so they come before the pinning.
    let (builds, groups): (Vec<_>, Vec<_>) = groups.into_iter().partition(|it| it.id == "build");
    let mut bench = Bench {
        cpus: Cpus::default(),
        plan: if arguments.quick {
            &Plan::QUICK
        } else {
            &Plan::FULL
        },
        directories: &directories,
        peers: &built,
        forwarder: forwarder.as_ref(),
    };
    let mut failures = 0;
    for group in builds.into_iter().chain(groups) {
        status("Measuring", group.title);
        if group.id != "build" && !bench.cpus.are_pinned() {
            bench.cpus = Cpus::pin_generator()?;
        }
        if let Err(error) = bench.measure(group.id, &mut results.figures) {
            eprintln!("error: cannot measure {}: {error:#}", group.id);
            failures += 1;
        }
        if let Some(table) = Table::of_group(group, &results.figures) {
            println!("\n{}\n{}", group.title, table.text());
        }
    }
    for line in bars::lines(&results.figures) {
        println!("{line}");
    }
    let is_selection = !arguments.only.is_empty() || !arguments.peers.is_empty();
    let is_complete = failures == 0 && !is_selection && !arguments.quick;
    let to = match is_complete {
        true => directories.root.join("docs"),
        false => directories.output(),
    };
    write(&results, &to)?;
    let (page, minutes) = (
        to.join("performance.md"),
        start.elapsed().as_secs_f64() / 60.0,
    );
    status(
        "Finished",
        &format!("in {minutes:.1} minutes; wrote {}", page.display()),
    );
    Ok(match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Compares the figures that can be repeated with the committed ones.
pub(crate) fn check(instructions: bool, update: bool) -> anyhow::Result<ExitCode> {
    let directories = Directories::find()?;
    let to = directories.output().join("stage/hello");
    let hello = package(&directories, "hello", "extensionHello.sh", &to)?;
    // Without the target for musl, which it could not install, `cargo fg package` links glibc, which is larger.
    if !cfg!(target_arch = "x86_64") || !build::has_target() {
        println!("this machine cannot build for x86-64 and musl: the figures were not checked");
        return Ok(ExitCode::SUCCESS);
    }
    let mut measured = Committed::from([
        ("size.program".to_owned(), hello.program_bytes as f64 / 1e3),
        ("size.zip".to_owned(), hello.zip_bytes as f64 / 1e3),
        (
            "build.crates".to_owned(),
            crate_count(&directories, &Hello::Ours)? as f64,
        ),
    ]);
    if instructions {
        if build::first_line("valgrind", &["--version"]).is_none() {
            bail!("valgrind is not installed; install it, or leave out --instructions");
        }
        count(&directories, &mut measured)?;
    }
    let file = directories.root.join(check::FILE);
    let committed = fs::read_to_string(&file).unwrap_or_else(|_| "{}".to_owned());
    let mut committed: Committed =
        serde_json::from_str(&committed).with_context(|| file.display().to_string())?;
    let comparison = compare(&measured, &committed);
    for line in &comparison.lines {
        println!("{line}");
    }
    if update {
        committed.extend(
            measured
                .into_iter()
                .map(|(figure, it)| (figure, (it * 10.0).round() / 10.0)),
        );
        let json = serde_json::to_string_pretty(&committed)? + "\n";
        fs::write(&file, json).with_context(|| file.display().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if !comparison.is_within {
        bail!(
            "a figure is more than 3 % larger than in {}, which is for x86-64 and the Rust version of CI; find out why, or \
             accept it with --update",
            check::FILE
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn count(directories: &Directories, measured: &mut Committed) -> anyhow::Result<()> {
    let ours = build::build(directories, &PEERS[0])?.map_err(anyhow::Error::msg)?;
    let forwarder = forwarder(directories)?;
    let zip = forwarder.zip_bytes as f64 / 1e3;
    measured.insert("size.otlp-forwarder.zip".to_owned(), zip);
    let bench = Bench {
        cpus: Cpus::pin_generator()?,
        plan: &Plan::FULL,
        directories,
        peers: &[],
        forwarder: None,
    };
    let invocation = count_invocation(&bench, &ours)?;
    measured.insert("instructions.invocation".to_owned(), invocation);
    let event = count_event(&bench, &ours)?;
    measured.insert("instructions.event".to_owned(), event);
    let forwarded = count_otlp(&bench, &forwarder.program)?;
    measured.insert("otlp.instructions".to_owned(), forwarded);
    Ok(())
}

/// Writes the page again from its results.
pub(crate) fn write_page() -> anyhow::Result<ExitCode> {
    let docs = Directories::find()?.root.join("docs");
    let file = docs.join("performance/results.json");
    let results = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Page::of(&serde_json::from_str(&results)?).write(&docs)?;
    Ok(ExitCode::SUCCESS)
}

fn write(results: &Results, to: &Path) -> anyhow::Result<()> {
    Page::of(results).write(to)?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    let file = to.join("performance/results.json");
    fs::write(&file, json).with_context(|| file.display().to_string())
}

fn forwarder(directories: &Directories) -> anyhow::Result<Staged> {
    status("Building", "otlp-forwarder");
    let to = directories.output().join("stage/otlp-forwarder");
    package(
        directories,
        "otlp-forwarder",
        "extensionOtlpForwarder.sh",
        &to,
    )
}

/// Returns the items with these IDs, in their own order, or all of them.
fn select<T>(
    ids: &[String],
    all: &'static [T],
    id: fn(&T) -> &'static str,
    what: &str,
) -> anyhow::Result<Vec<&'static T>> {
    if let Some(unknown) = ids
        .iter()
        .find(|it| !all.iter().any(|item| id(item) == *it))
    {
        let known: Vec<_> = all.iter().map(id).collect();
        bail!(
            "there is no {what} `{unknown}`; choose from {}",
            known.join(", ")
        );
    }
    let items = all.iter();
    Ok(items
        .filter(|item| ids.is_empty() || ids.iter().any(|it| it == id(item)))
        .collect())
}

fn status(verb: &str, text: &str) {
    eprintln!("{verb:>12} {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_peers_are_selected_by_id() {
        let ids = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let all = select(&[], PEERS, |it| it.id, "peer").unwrap();
        assert_eq!(all.len(), PEERS.len());
        let two = select(&ids(&["go", "std"]), PEERS, |it| it.id, "peer").unwrap();
        let two: Vec<_> = two.iter().map(|it| it.id).collect();
        assert_eq!(two, ["std", "go"]);
        let error = select(&ids(&["perl"]), PEERS, |it| it.id, "peer")
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .starts_with("there is no peer `perl`; choose from fg-extension, std")
        );
    }
}
