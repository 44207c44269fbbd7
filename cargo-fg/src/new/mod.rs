//! `cargo fg new`: creates a package for an extension from a template.

mod checkout;
mod create;
mod package_manifest;
mod package_name;
mod rollback;
mod templates;

use std::fmt::Write;
use std::path::Path;

use self::create::{CreatedPackage, NewPackage, create};

pub(crate) use self::templates::{TEMPLATES, Template};

/// The parsed arguments of `cargo fg new`.
pub(crate) struct NewOptions<'a> {
    /// The directory to create. Its name becomes the name of the package.
    pub(crate) directory: &'a Path,
    pub(crate) template: &'static Template,
    /// The port of the extension; by default, that of the template.
    pub(crate) port: Option<u16>,
    /// The clone of this repository to depend on; by default, one is found.
    pub(crate) checkout: Option<&'a Path>,
}

/// Creates a package, and returns the text to print.
pub(crate) fn new(options: &NewOptions<'_>) -> anyhow::Result<String> {
    let NewOptions {
        directory,
        template,
        ..
    } = options;
    let port = options.port.unwrap_or(template.port);
    let created = create(&NewPackage {
        directory,
        template,
        port,
        checkout: options.checkout,
    })?;
    let CreatedPackage {
        name,
        script_name,
        checkout,
        ..
    } = created;

    let mut text = String::new();
    let ports = match template.telemetry_port(port) {
        Some(telemetry) => format!("port {port}, telemetry port {telemetry}"),
        None => format!("port {port}"),
    };
    let template = template.name;
    writeln!(
        text,
        "     Created `{name}` from the example `{template}`: {script_name}, {ports}"
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
        "     Depends on the clone {checkout}, until fg-extension is published"
    )?;
    let next = directory.to_string_lossy();
    writeln!(text, "        Next cd {}", shell_words::quote(&next))?;
    // `cargo fg` may be the alias in the clone, which does not exist elsewhere.
    if !created.is_in_checkout && checkout::is_cargo_run() {
        let path = format!("{checkout}/cargo-fg");
        let path = shell_words::quote(&path);
        writeln!(text, "{:13}cargo install --path {path}", "")?;
    }
    writeln!(text, "{:13}cargo fg dev\n{:13}cargo test", "", "")?;
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
