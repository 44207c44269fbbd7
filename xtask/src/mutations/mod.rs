//! `cargo xtask mutations`: puts bugs into a copy of the runtime, one at a time, and checks that the simulation finds each.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};
use table::MUTATIONS;

use crate::run::{cargo, command, output, root, run};

/// How long the simulation may take, in seconds.
const LIMIT: &str = "300";
/// The exit status of `timeout` if the time was up.
const TIMED_OUT: i32 = 124;

/// A bug, as a change of the source code.
struct Mutation {
    /// What the mutated runtime does wrong.
    bug: &'static str,
    /// The file, relative to `fg-extension/src`.
    file: &'static str,
    /// The code that is replaced, which must occur once.
    code: &'static str,
    replacement: &'static str,
}

/// Runs the simulation with each mutation whose description contains `filter`.
pub(crate) fn check(filter: &str) -> anyhow::Result<()> {
    let directory = root()?.join("target/mutations");
    let copy = Copy::create(&directory)?;
    // Otherwise every mutation would be found.
    if let Some(problem) = copy.simulate()? {
        bail!("the simulation fails without a mutation: {problem}");
    }
    let mut missed = Vec::new();
    for mutation in MUTATIONS
        .iter()
        .filter(|mutation| mutation.bug.contains(filter))
    {
        let path = copy.source.join("fg-extension/src").join(mutation.file);
        let source = fs::read_to_string(&path)?;
        fs::write(&path, mutation.apply(&source)?)?;
        let start = Instant::now();
        let found = copy.simulate()?;
        fs::write(&path, source)?;
        let seconds = start.elapsed().as_secs();
        match found {
            Some(problem) => println!("found in {seconds} s: {}\n    {problem}", mutation.bug),
            None => {
                println!("NOT FOUND: {}", mutation.bug);
                missed.push(mutation.bug);
            }
        }
    }
    if !missed.is_empty() {
        bail!("the simulation did not find: {}", missed.join("; "));
    }
    Ok(())
}

impl Mutation {
    fn apply(&self, source: &str) -> anyhow::Result<String> {
        match source.matches(self.code).count() {
            1 => Ok(source.replace(self.code, self.replacement)),
            count => bail!(
                "the code of the mutation {:?} occurs {count} times in {}",
                self.bug,
                self.file
            ),
        }
    }
}

/// A copy of the workspace with a target directory of its own, so that the original is not changed.
struct Copy {
    source: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn create(directory: &Path) -> anyhow::Result<Self> {
        let source = directory.join("source");
        if source.exists() {
            fs::remove_dir_all(&source)?;
        }
        let files = output(command("git")?.args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        for file in files.lines() {
            let (from, to) = (root()?.join(file), source.join(file));
            // A file that was deleted is still in the index.
            if !from.exists() {
                continue;
            }
            fs::create_dir_all(to.parent().context("a file has no directory")?)?;
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        Ok(Self {
            source,
            target: directory.join("target"),
        })
    }

    /// Builds and runs the simulation. Returns the first problem that it finds.
    fn simulate(&self) -> anyhow::Result<Option<String>> {
        let test = ["test", "--quiet", "--package", "fg-extension", "--lib"];
        run(cargo()?
            .args(test)
            .arg("--no-run")
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTFLAGS", "-Awarnings")
            .stderr(Stdio::null()))
        .context("the runtime does not compile")?;
        // A mutation may make it run for ever.
        let mut simulation = command("timeout")?;
        let simulation = simulation
            .args([LIMIT, "cargo"])
            .args(test)
            .arg("simulation::random_schedules")
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTFLAGS", "-Awarnings")
            .output()?;
        if simulation.status.success() {
            return Ok(None);
        }
        if simulation.status.code() == Some(TIMED_OUT) {
            return Ok(Some(format!("it does not end within {LIMIT} seconds")));
        }
        let output = String::from_utf8_lossy(&simulation.stdout);
        let mut lines = output
            .lines()
            .skip_while(|line| !line.contains("FG_SIMULATION_SEED="));
        match (lines.next(), lines.next()) {
            (Some(_), Some(problem)) => Ok(Some(problem.trim().to_owned())),
            _ => bail!("the simulation did not run: {output}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_applies_and_is_documented() {
        let root = root().unwrap();
        let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
        let listed = page.lines().filter_map(|line| line.strip_prefix("1. "));
        let listed: Vec<_> = listed.map(|line| line.trim_end_matches('.')).collect();
        let bugs: Vec<_> = MUTATIONS.iter().map(|mutation| mutation.bug).collect();
        assert_eq!(listed, bugs);
        for mutation in MUTATIONS {
            let source = fs::read_to_string(root.join("fg-extension/src").join(mutation.file));
            let source = source.unwrap();
            assert_ne!(mutation.apply(&source).unwrap(), source);
        }
    }
}
