//! `cargo fg package`: builds an extension for FunctionGraph, writes the ZIP that is uploaded as a dependency (D 2705,
//! 2708), and boots the extension from the ZIP.

mod build_hint;
mod build_plan;
mod contents;
mod linkage;
mod processor;
mod profile;
mod settings_file;
mod start_script;
mod target_cfg;
mod upload;
mod verify;
mod zip_writer;

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use fg_conformance::artifact::{against_direct_upload_limit, read_script_name};
use fg_emulator::{OutputLine, OutputStream};

use self::build_hint::build_hint;
use self::build_plan::BuildPlan;
use self::contents::PackageContents;
use self::linkage::{linkage_note, read_program};
use self::processor::processor_warning;
use self::upload::how_to_upload;
use self::verify::verify;
use self::zip_writer::write_zip;
use crate::cargo::{
    BuildFailed, BuildTarget, BuiltProgram, CargoOptions, CargoStderr, SelectedProgram, Workspace,
    build,
};
use crate::env_file::EnvFile;
use crate::signals::ShutdownSignals;
use crate::terminal::printable;

/// The parsed arguments of `cargo fg package`.
pub(crate) struct PackageOptions {
    pub(crate) target: BuildTarget,
    pub(crate) cargo: CargoOptions,
    /// The target triple; by default, musl for this machine's processor.
    pub(crate) triple: Option<String>,
    /// Files and directories to put next to the program.
    pub(crate) include: Vec<PathBuf>,
    /// The ZIP to write, or the directory to write it to.
    pub(crate) out: Option<PathBuf>,
    /// The settings to package beside the program.
    pub(crate) env_file: Option<EnvFile>,
    /// Environment variables for the boot that verifies the ZIP.
    pub(crate) environment: Vec<(String, String)>,
    /// Where to print the steps.
    pub(crate) steps: Steps,
}

/// The stream that the steps are printed to.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "deploy"),
    allow(dead_code, reason = "`deploy` uses all of it")
)]
pub(crate) enum Steps {
    Stdout,
    /// If stdout is for the result of another subcommand.
    Stderr,
}

/// A ZIP that was written.
#[cfg_attr(
    not(feature = "deploy"),
    allow(dead_code, reason = "`deploy` uses all of it")
)]
pub(crate) struct Packaged {
    pub(crate) zip: PathBuf,
    /// The name of the package, and of the program if that has another name.
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
}

/// Builds the package, writes the ZIP, boots the extension from it, and prints each step and how to upload the ZIP.
pub(crate) fn package(options: &PackageOptions) -> anyhow::Result<()> {
    let packaged = write_package(options)?;
    let how = how_to_upload(packaged.size).with_context(|| {
        format!(
            "wrote {}, but it cannot be uploaded",
            packaged.zip.display()
        )
    })?;
    options.steps.print_line("Upload", how)?;
    options
        .steps
        .print_line("", "then add it to the function: Code > Dependencies > Add")
}

/// Builds the package, writes the ZIP, boots the extension from it, and prints each step.
pub(crate) fn write_package(options: &PackageOptions) -> anyhow::Result<Packaged> {
    let steps = options.steps;
    let mut contents = PackageContents::default();
    for path in &options.include {
        contents.include(path)?;
    }
    let settings = options.env_file.as_ref().map(settings_file::text);
    let settings = settings.transpose()?;
    let current = std::env::current_dir().context("cannot determine the current directory")?;
    let workspace = Workspace::read(&options.cargo)?;
    let programs = workspace.select(std::slice::from_ref(&options.target), &options.cargo)?;
    let plan = BuildPlan::new(options.triple.as_deref(), &workspace.root, &options.cargo)?;
    if let Some(note) = &plan.note {
        steps.print_line("Note", note)?;
    }
    if let Some(warning) = processor_warning(&plan) {
        steps.print_line("Warning", warning)?;
    }
    let built = build_by(&plan, &programs, &options.cargo)?;
    let script = read_script_name(&built.path)?;
    let program = read_program(&built.path)?;
    let notes = [linkage_note(&program)?, plan.profile.debug_note(&program)];
    for note in notes.into_iter().flatten() {
        steps.print_line("Note", note)?;
    }
    // The programs of two extensions must not have the same file name, or one may overwrite the other (D user guide
    // 01_2119).
    let name = if built.name == built.package {
        built.name
    } else {
        format!("{}-{}", built.package, built.name)
    };
    contents.add_program(&script, &name, built.path)?;
    if let Some(text) = settings {
        contents.add_settings(&name, text);
    }
    let file = format!("{name}.zip");
    let zip = match &options.out {
        Some(directory) if is_directory(directory) => directory.join(file),
        Some(zip) => zip.clone(),
        None => workspace.target.join("fg").join(file),
    };
    let size = write_zip(&contents, &zip)?;
    let relative = zip.strip_prefix(&current).unwrap_or(&zip);
    let shown = relative.display();
    let (target, size_and_limit) = (&plan.target, against_direct_upload_limit(size));
    steps.print_line(
        "Packaged",
        format_args!("{shown} for {target}: {size_and_limit}"),
    )?;
    for file in contents.files() {
        steps.print_line("", format_args!("extension/{file}"))?;
    }

    for warning in options.env_file.iter().flat_map(settings_file::warnings) {
        steps.print_line("Warning", warning)?;
    }

    if plan.is_cross {
        let why = if cfg!(target_os = "linux") {
            "because this machine has a different processor"
        } else {
            "because this machine does not run Linux"
        };
        steps.print_line("Not booted", why)?;
    } else {
        boot_from(&zip, &script, options).with_context(|| {
            let hint = match &options.env_file {
                Some(file) => format!(
                    "its settings are those of {} and of --env",
                    file.path.display()
                ),
                None => "set variables that it needs with --env".to_owned(),
            };
            format!("wrote {shown}, but cannot run the extension from it ({hint})")
        })?;
    }
    let zip = relative.to_path_buf();
    Ok(Packaged { zip, name, size })
}

/// Returns whether `--out` names a directory, which need not exist if the path ends with a slash.
fn is_directory(out: &Path) -> bool {
    out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn build_by(
    plan: &BuildPlan,
    programs: &[SelectedProgram],
    cargo: &CargoOptions,
) -> anyhow::Result<BuiltProgram> {
    let options: Vec<_> = plan.options.iter().map(String::as_str).collect();
    let environment = plan.environment.iter();
    let environment: Vec<_> = environment
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let built = build(programs, cargo, &options, &environment, CargoStderr::Copied).map_err(|error| {
        let failed = error.downcast_ref::<BuildFailed>();
        let manifest = cargo.manifest_path.as_deref();
        if let Some(hint) = failed.and_then(|it| build_hint(&it.stderr, &plan.target, manifest)) {
            return anyhow!("the build failed: {hint}");
        }
        if !plan.is_cross {
            return error;
        }
        let compiler = format!("CC_{}", plan.target.replace('-', "_"));
        error.context(format!(
            "cannot build for {} (if a dependency compiles C code, set {compiler} to a cross compiler)",
            plan.target
        ))
    });
    built?.pop().context("cargo built no program")
}

fn boot_from(zip: &Path, script: &str, options: &PackageOptions) -> anyhow::Result<()> {
    let steps = options.steps;
    let packaged = options.env_file.as_ref();
    let packaged = packaged.map_or(&[][..], |file| &file.settings);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
    let verified = runtime.block_on(async {
        let mut signals = ShutdownSignals::listen()?;
        signals
            .run_or_cancel(verify(zip, &options.environment, packaged, move |line| {
                print_output(steps, line);
            }))
            .await
    })?;
    let times = [verified.registered, verified.invoked, verified.shut_down];
    let [registered, invoked, shut_down] =
        times.map(|time| format!("{:.2} ms", time.as_secs_f64() * 1000.0));
    steps.print_line(
        "Booted",
        format_args!(
            "{script} from the ZIP: registered in {registered}, invoked in {invoked}, shut down in {shut_down}"
        ),
    )
}

fn print_output(steps: Steps, line: &OutputLine) {
    let stream = match line.stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    };
    // Ignore an error here: the next line that `package` prints fails too.
    let _ = steps.print_line(stream, &line.text);
}

impl Steps {
    /// Prints a line with a label.
    pub(crate) fn print_line(self, label: &str, text: impl Display) -> anyhow::Result<()> {
        let text = text.to_string();
        match self {
            Self::Stdout => {
                let stdout = std::io::stdout();
                let text = printable(&text, &stdout);
                writeln!(&stdout, "{label:>12} {text}").context("cannot write to stdout")
            }
            Self::Stderr => {
                let stderr = std::io::stderr();
                let text = printable(&text, &stderr);
                writeln!(&stderr, "{label:>12} {text}").context("cannot write to stderr")
            }
        }
    }
}
