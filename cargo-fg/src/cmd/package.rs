//! `cargo fg package`: build for FunctionGraph, write the ZIP, boot from it.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use fg_conformance::artifact::{against_direct_upload_limit, read_script_name};
use fg_emulator::{OutputLine, OutputStream};

use crate::build::{Built, Target, build};
use crate::cargo::workspace;
use crate::package::{Contents, Plan, how_to_upload, linkage, plan, verify, write};
use crate::stop::Stop;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// ZIP to write (target/fg/NAME.zip by default)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File or folder to put beside the program, as often as wanted
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    /// Target to build for: aarch64-unknown-linux-musl (musl on this machine's processor by default)
    #[arg(long = "target", value_name = "TARGET")]
    triple: Option<String>,
    /// Variable for the boot that verifies the package, as often as wanted
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE"),
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut contents = Contents::default();
    for path in &arguments.include {
        contents.include(path)?;
    }
    let current = std::env::current_dir().context("cannot tell the current folder")?;
    let workspace = workspace(&current)?;
    let plan = plan(arguments.triple.as_deref(), &workspace.root)?;
    if let Some(note) = &plan.note {
        say("Note", note)?;
    }
    let built = build_by(&plan, &arguments.target)?;
    let script = read_script_name(&built.path)?;
    if let Some(note) = linkage(&built.path)? {
        say("Note", note)?;
    }
    // No two extensions of a function may share a file name: one may overwrite the other (D user guide 01_2119).
    let name = if built.name == built.package {
        built.name
    } else {
        format!("{}-{}", built.package, built.name)
    };
    contents.start(&script, &name, built.path)?;
    let file = format!("{name}.zip");
    let zip = match &arguments.out {
        Some(folder) if folder.is_dir() => folder.join(file),
        Some(zip) => zip.clone(),
        None => workspace.target.join("fg").join(file),
    };
    let size = write(&contents, &zip)?;
    let shown = zip.strip_prefix(&current).unwrap_or(&zip).display();
    let (target, size_and_limit) = (&plan.target, against_direct_upload_limit(size));
    say(
        "Packaged",
        format_args!("{shown} for {target}: {size_and_limit}"),
    )?;
    for file in contents.files() {
        say("", format_args!("extension/{file}"))?;
    }

    if plan.is_cross {
        say(
            "Not booted",
            "it is for another processor than this machine's",
        )?;
    } else {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
        let took = runtime
            .block_on(async { Stop::listen()?.or(verify(&zip, &arguments.env, show)).await })
            .with_context(|| {
                format!(
                    "{shown} is written, but failed here (a setting that it needs goes into --env)"
                )
            })?;
        let took = [took.registered, took.invoked, took.ended];
        let [registered, invoked, ended] =
            took.map(|it| format!("{:.2} ms", it.as_secs_f64() * 1000.0));
        say(
            "Booted",
            format_args!(
                "{script} from it: registered in {registered}, invoked in {invoked}, ended in {ended}"
            ),
        )?;
    }
    let how = how_to_upload(size).with_context(|| format!("{shown} is written"))?;
    say("Upload", how)?;
    say("", "then at the function: Code > Dependencies > Add")?;
    Ok(ExitCode::SUCCESS)
}

fn build_by(plan: &Plan, target: &Target) -> anyhow::Result<Built> {
    let options: Vec<_> = plan.options.iter().map(String::as_str).collect();
    let environment = plan.environment.iter();
    let environment: Vec<_> = environment
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    build(target, &options, &environment).map_err(|error| {
        if !plan.is_cross {
            return error;
        }
        let compiler = format!("CC_{}", plan.target.replace('-', "_"));
        error.context(format!(
            "cannot build for {} (if there is C in it: {compiler} names the compiler)",
            plan.target
        ))
    })
}

fn show(line: &OutputLine) {
    let stream = match line.stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    };
    // What fails here fails again with the next line of our own.
    let _ = say(stream, &line.text);
}

/// One line: what it is, and the rest.
fn say(what: &str, text: impl Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{what:>12} {text}").context("cannot write to stdout")
}
