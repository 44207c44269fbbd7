//! Builds the peers, and stages each program as it is in the ZIP: next to its start script.

mod cargo;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

pub(crate) use cargo::{Hello, clean_build, crate_count, has_target, package};
pub(crate) use stage::Staged;

use crate::peers::{Kind, Peer};

/// A peer whose programs exist.
pub(crate) struct Built {
    pub(crate) peer: &'static Peer,
    pub(crate) hello: Staged,
    pub(crate) telemetry: Staged,
}

/// The two programs of each peer.
#[derive(Clone, Copy)]
pub(crate) enum Job {
    Hello,
    Telemetry,
}

impl Job {
    fn script(self) -> &'static str {
        match self {
            Self::Hello => "extensionHello.sh",
            Self::Telemetry => "extensionTelemetry.sh",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Telemetry => "telemetry",
        }
    }
}

/// The directories of the repository that the benchmarks use.
pub(crate) struct Directories {
    pub(crate) root: PathBuf,
    /// The target directory of the workspace.
    pub(crate) target: PathBuf,
}

impl Directories {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let root = root.context("benches/ has a parent")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
        Ok(Self { root, target })
    }

    /// Where the benchmarks write everything that is not committed.
    pub(crate) fn output(&self) -> PathBuf {
        self.target.join("benches")
    }

    pub(crate) fn peers(&self) -> PathBuf {
        self.root.join("benches/peers")
    }
}

/// Builds a peer. Returns the reason if a tool is not installed.
pub(crate) fn build(
    directories: &Directories,
    peer: &'static Peer,
) -> anyhow::Result<Result<Built, String>> {
    let both = |find: &dyn Fn(Job) -> anyhow::Result<Staged>| {
        Ok(Ok(Built {
            peer,
            hello: find(Job::Hello)?,
            telemetry: find(Job::Telemetry)?,
        }))
    };
    let to = directories.output().join("stage").join(peer.id);
    let source = directories.peers();
    match peer.kind {
        Kind::Ours => both(&|job| {
            let name = match job {
                Job::Hello => "hello",
                Job::Telemetry => "telemetry-reader",
            };
            package(directories, name, job.script(), &to.join(job.name()))
        }),
        Kind::Rust { package, features } => {
            let programs = cargo::build_peer(directories, package, features)?;
            both(&|job| stage::file(&programs.join(job.name()), job, &to))
        }
        Kind::Go => {
            let Some(_) = first_line("go", &["version"]) else {
                return Ok(Err("go is not installed".to_owned()));
            };
            let program = directories.output().join("peers/go/peer");
            run(Command::new("go")
                .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
                .arg(&program)
                .arg(".")
                .env("CGO_ENABLED", "0")
                .current_dir(source.join("go")))?;
            both(&|job| stage::file(&program, job, &to))
        }
        Kind::Node => {
            let Some(node) = first_line("node", &["-p", "process.execPath"]) else {
                return Ok(Err("node is not installed".to_owned()));
            };
            both(&|job| stage::source(&node, &source.join("node/main.js"), job, &to))
        }
        Kind::Python => {
            let print = "import sys; print(sys.executable)";
            let Some(python) = first_line("python3", &["-c", print]) else {
                return Ok(Err("python3 is not installed".to_owned()));
            };
            both(&|job| stage::source(&python, &source.join("python/main.py"), job, &to))
        }
    }
}

/// Runs a command, and shows its output only if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the first line of what a command prints, or `None` if it is not installed or fails.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let line = String::from_utf8(output.stdout)
        .ok()?
        .lines()
        .next()?
        .trim()
        .to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
