//! `cargo fg new`: creates a package for an extension from a template.

mod create;
mod dependency_source;
mod github_workflow;
mod package_manifest;
mod package_name;
mod ports;
mod rollback;
mod taken_ports;
mod templates;

use std::fmt::Write;
use std::path::Path;

use self::create::{CreatedPackage, NewPackage, create, is_current};
use self::dependency_source::run_from;

pub(crate) use self::dependency_source::{DependencySource, GitSource};
pub(crate) use self::templates::{TEMPLATES, Template};

/// The parsed arguments of `cargo fg new`.
pub(crate) struct NewOptions<'a> {
    /// The directory to create or, if it exists, to create the package in. Its name becomes the name of the package.
    pub(crate) directory: &'a Path,
    pub(crate) template: &'static Template,
    /// The port of the extension; by default, that of the template, or another one that is free.
    pub(crate) port: Option<u16>,
    /// Where the crates of this repository come from; by default, the same place as this program.
    pub(crate) source: Option<DependencySource>,
    /// Whether to write a workflow of GitHub Actions.
    pub(crate) with_github_workflow: bool,
}

/// Creates a package, and returns the text to print.
pub(crate) fn new(options: &NewOptions<'_>) -> anyhow::Result<String> {
    let NewOptions {
        directory,
        template,
        ..
    } = options;
    let created = create(&NewPackage {
        directory,
        template,
        port: options.port,
        source: options.source.clone(),
        with_github_workflow: options.with_github_workflow,
    })?;
    let CreatedPackage {
        name,
        script_name,
        source,
        ports,
        ..
    } = created;

    let mut text = String::new();
    let port = ports.extension;
    let ports = match ports.telemetry {
        Some(telemetry) => format!("port {port}, telemetry port {telemetry}"),
        None => format!("port {port}"),
    };
    let template = template.name;
    writeln!(
        text,
        "     Created `{name}` from the example `{template}`: {script_name}, {ports}"
    )?;
    if let Some(note) = created.note {
        writeln!(text, "        Note {note}")?;
    }
    if let Some(workspace) = created.workspace {
        writeln!(
            text,
            "       Added it to the workspace {}",
            workspace.display()
        )?;
    }
    match &source {
        DependencySource::Published => {
            let version = env!("CARGO_PKG_VERSION");
            writeln!(text, "     Depends on the published fg-extension {version}")?;
        }
        DependencySource::Git(git) => {
            writeln!(text, "     Depends on fg-extension in the repository {git}")?;
        }
        DependencySource::Clone(clone) if created.is_in_clone => {
            writeln!(
                text,
                "     Depends on the clone that contains it, {}",
                clone.display()
            )?;
        }
        DependencySource::Clone(clone) => writeln!(
            text,
            "     Depends on the clone {}, so it builds on this machine only; to share it, create it with --git URL",
            clone.display()
        )?,
    }
    if let Some(workflow) = &created.github_workflow {
        writeln!(
            text,
            "       Wrote {}, which tests, checks and packages it on GitHub",
            workflow.display()
        )?;
    }
    let mut next = Vec::new();
    if !is_current(directory) {
        let directory = directory.to_string_lossy();
        next.push(format!("cd {}", shell_words::quote(&directory)));
    }
    // `cargo fg` may be the alias in the clone, which does not exist elsewhere.
    if let Some(package) = run_from().filter(|_| !created.is_in_clone) {
        let package = package.to_string_lossy();
        next.push(format!(
            "cargo install --path {}",
            shell_words::quote(&package)
        ));
    }
    next.extend(["cargo fg dev".to_owned(), "cargo test".to_owned()]);
    writeln!(text, "        Next {}", next.join("\n             "))?;
    Ok(text)
}

/// Returns the list of templates to print.
pub(crate) fn list_templates() -> anyhow::Result<String> {
    let mut text = String::new();
    for template in TEMPLATES {
        writeln!(text, "{:>18}  {}", template.name, template.description()?)?;
    }
    Ok(text)
}
