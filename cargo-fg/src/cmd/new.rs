//! `cargo fg new`: a package of one's own, made of an example.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;

use crate::new::{Created, EXAMPLES, Example, New, create};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the package, or the path of its folder: night-watch
    #[arg(value_name = "NAME", required_unless_present = "list")]
    path: Option<PathBuf>,
    /// Example that it begins as
    #[arg(long, value_name = "NAME", default_value = EXAMPLES[0].name, value_parser = example())]
    example: String,
    /// Port of the extension, from 8081 to 8090 (the example's by default)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(8081..=8090))]
    port: Option<u16>,
    /// List the examples instead
    #[arg(long, conflicts_with_all = ["path", "example", "port"])]
    list: bool,
}

fn example() -> PossibleValuesParser {
    PossibleValuesParser::new(EXAMPLES.iter().map(|example| example.name))
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = match &arguments.path {
        None => list()?,
        Some(path) => new(path, &arguments.example, arguments.port)?,
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> anyhow::Result<String> {
    let mut text = String::new();
    for example in EXAMPLES {
        writeln!(text, "{:>18}  {}", example.name, example.description()?)?;
    }
    Ok(text)
}

fn new(folder: &Path, example: &str, port: Option<u16>) -> anyhow::Result<String> {
    let wanted = |it: &&Example| it.name == example;
    let example = EXAMPLES.iter().find(wanted).unwrap_or(&EXAMPLES[0]);
    let port = port.unwrap_or(example.port);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkout = checkout.parent().unwrap_or(checkout);
    let created = create(&New {
        folder,
        example,
        port,
        checkout,
    })?;
    let Created { name, script, .. } = created;

    let mut text = String::new();
    let ports = match example.telemetry_port(port) {
        Some(telemetry) => format!("ports {port} and, for telemetry, {telemetry}"),
        None => format!("port {port}"),
    };
    let example = example.name;
    writeln!(
        text,
        "     Created `{name}` from the example `{example}`: {script}, {ports}"
    )?;
    if let Some(workspace) = created.workspace {
        writeln!(
            text,
            "       Added it to the workspace {}",
            workspace.display()
        )?;
    }
    let checkout = checkout.display();
    writeln!(
        text,
        "     Depends by path on {checkout}, until fg-extension is published"
    )?;
    let next = folder.to_string_lossy();
    writeln!(text, "        Next cd {}", shell_words::quote(&next))?;
    // The alias of the checkout, by which we were called, is not known elsewhere.
    if !created.in_checkout && std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let path = format!("{checkout}/cargo-fg");
        let path = shell_words::quote(&path);
        writeln!(text, "{:13}cargo install --path {path}", "")?;
    }
    writeln!(text, "{:13}cargo fg dev\n{:13}cargo test", "", "")?;
    Ok(text)
}
