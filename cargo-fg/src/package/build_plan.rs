//! The options of a build for FunctionGraph. It links statically, since the glibc version of the platform's image is
//! unknown (?).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use toml::Value;

use super::profile::ReleaseProfile;
use super::target_cfg::TargetCfg;
use crate::cargo::{CargoOptions, configuration_files, is_configured, stdout_of};

/// Lowers the size up to which LLVM inlines a function: `hello` is 110 KB smaller, and needs 6 % more instructions for an
/// invocation.
const INLINING: &str = "-Cllvm-args=-inline-threshold=75";

/// The target of a build, and the options and variables for cargo.
pub(crate) struct BuildPlan {
    /// The target triple.
    pub(crate) target: String,
    /// A note to print for the user.
    pub(crate) note: Option<String>,
    /// Whether the target has another processor or system than this machine, so that the program cannot be booted here.
    pub(crate) is_cross: bool,
    /// Options for cargo.
    pub(crate) options: Vec<String>,
    /// Environment variables for cargo.
    pub(crate) environment: Vec<(String, String)>,
    /// The settings of the release profile.
    pub(crate) profile: ReleaseProfile,
}

impl BuildPlan {
    /// Plans a build for the target; by default, for musl on this machine's processor, or for glibc if musl is not
    /// installed. Installs the target with rustup if it is missing. Does not override the release profile in the
    /// manifest of the workspace.
    ///
    /// # Errors
    ///
    /// Returns an error if the target is not a Linux target, or is not installed and cannot be installed.
    pub(crate) fn new(
        wanted: Option<&str>,
        workspace: &Path,
        cargo: &CargoOptions,
    ) -> anyhow::Result<Self> {
        let host =
            rustc(&["--print", "host-tuple"]).context("cannot determine this machine's target")?;
        let here = architecture(&host);
        let musl = format!("{here}-unknown-linux-musl");
        let (target, note) = match wanted {
            Some(target) if !target.contains("-linux-") => {
                bail!("cannot package for {target}: FunctionGraph runs Linux; use --target {musl}")
            }
            Some(target) if !install(target)? => {
                bail!(
                    "the target {target} is not installed, and `rustup target add {target}` failed"
                )
            }
            Some(target) => (target.to_owned(), None),
            None if install(&musl)? => (musl, None),
            None if !host.contains("-linux-") => {
                bail!("the target {musl} is not installed, and `rustup target add {musl}` failed")
            }
            None => {
                let note = format!(
                    "the target {musl} is not installed, and `rustup target add {musl}` failed; linking glibc \
                     statically instead"
                );
                (host.clone(), Some(note))
            }
        };
        let mut plan = Self {
            is_cross: architecture(&target) != here || !host.contains("-linux-"),
            options: vec![format!("--target={target}")],
            environment: Vec::new(),
            profile: ReleaseProfile::default(),
            target,
            note,
        };
        // A profile that the user names is used as it is.
        if cargo.profile.is_none() {
            plan.profile = ReleaseProfile::new(workspace);
            plan.environment.clone_from(&plan.profile.environment);
        }
        let is_musl = plan.target.contains("-musl");
        let mut flags = Vec::new();
        if is_musl {
            plan.select_linker();
        } else {
            flags.push("-Ctarget-feature=+crt-static");
        }
        if !is_configured(&["build", "rustflags"])
            && !is_configured(&["target", &plan.target, "rustflags"])
        {
            flags.extend(is_musl.then(|| plan.pack_relocations()).flatten());
            flags.push(INLINING);
        }
        plan.add_flags(&flags);
        Ok(plan)
    }

    /// Selects a linker and a C compiler for musl, if none is configured. Rust ships musl itself.
    fn select_linker(&mut self) {
        let target = self.target.clone();
        let variable = target.replace('-', "_");
        if self.is_cross {
            if !self.has_linker() {
                let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
                self.set(&linker, "rust-lld");
            }
            return;
        }
        let compiler = format!("CC_{variable}");
        let is_chosen = [&compiler, &format!("CC_{target}"), "TARGET_CC", "CC"]
            .iter()
            .any(|variable| std::env::var_os(variable).is_some());
        let musl = format!("{}-linux-musl-gcc", architecture(&target));
        if !is_chosen && !is_in_path(&musl) && !is_in_path("musl-gcc") {
            // For the same processor, the compiler for glibc works too, without the checks that call into glibc.
            self.set(&compiler, "cc");
            if std::env::var_os(format!("CFLAGS_{variable}")).is_none() {
                self.set(&format!("CFLAGS_{variable}"), "-U_FORTIFY_SOURCE");
            }
        }
    }

    fn has_linker(&self) -> bool {
        is_configured(&["target", &self.target, "linker"])
    }

    /// Returns the flag for packed relocations, which make `hello` 33 KB smaller. Returns `None` if the linker is
    /// unknown, or if Rust's musl does not support them.
    fn pack_relocations(&self) -> Option<&'static str> {
        // Rust 1.93 updated musl to 1.2.5. Before, a program with packed relocations would crash at its start.
        let version = rustc(&["--version"]).ok()?;
        let minor = version.strip_prefix("rustc 1.")?.split('.').next()?;
        let is_supported = minor.parse::<u32>().is_ok_and(|minor| minor >= 93);
        (is_supported && !self.has_linker()).then_some(match self.is_cross {
            true => "-Clink-arg=-zpack-relative-relocs",
            false => "-Clink-arg=-Wl,-z,pack-relative-relocs",
        })
    }

    /// Adds flags for rustc to those that are configured.
    fn add_flags(&mut self, flags: &[&str]) {
        if flags.is_empty() {
            return;
        }
        // cargo reads only the first of these that is set.
        if let Ok(configured) = std::env::var("CARGO_ENCODED_RUSTFLAGS") {
            // An empty variable contains no flags, not an empty one.
            let configured = configured.split('\u{1f}').filter(|flag| !flag.is_empty());
            let all: Vec<_> = configured.chain(flags.iter().copied()).collect();
            self.set("CARGO_ENCODED_RUSTFLAGS", &all.join("\u{1f}"));
        } else if let Ok(configured) = std::env::var("RUSTFLAGS") {
            self.set("RUSTFLAGS", &format!("{configured} {}", flags.join(" ")));
        } else {
            let (key, configured) = self.configured_flags();
            let rustflags = match configured {
                // cargo would replace it.
                Some(configured) => {
                    let all = format!("{configured} {}", flags.join(" "));
                    format!("{key}.rustflags={}", Value::String(all))
                }
                None => format!("{key}.rustflags={flags:?}"),
            };
            self.options.extend(["--config".to_owned(), rustflags]);
        }
    }

    /// Returns the table of the configuration whose flags cargo uses, and the flags if they are one string. cargo appends to a
    /// list.
    fn configured_flags(&self) -> (String, Option<String>) {
        let cfg = TargetCfg::new(&self.target);
        let files = configuration_files();
        let has_flags = |table: &Value| table.get("rustflags").is_some();
        let of_target = files.iter().any(|(_, file)| {
            let tables = file.get("target").and_then(Value::as_table);
            let mut tables = tables.into_iter().flatten();
            tables.any(|(key, table)| cfg.has(key) && has_flags(table))
        });
        // cargo ignores the flags of `build` if there are some for the target.
        let is_of_target = of_target
            || is_configured(&["target", &self.target, "rustflags"])
            || !is_configured(&["build", "rustflags"]);
        let string_at = |key: &[&str]| {
            let mut values = files.iter().filter_map(|(_, file)| {
                let (first, rest) = key.split_first()?;
                let value = file.get(*first);
                rest.iter().fold(value, |value, key| value?.get(*key))
            });
            values.next()?.as_str().map(str::to_owned)
        };
        match is_of_target {
            true => (
                format!("target.{}", self.target),
                string_at(&["target", &self.target, "rustflags"]),
            ),
            false => ("build".to_owned(), string_at(&["build", "rustflags"])),
        }
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }
}

/// Installs the target's standard library with rustup if it is missing. Returns whether it is installed now.
///
/// # Errors
///
/// Returns an error if rustc does not know the target.
fn install(target: &str) -> anyhow::Result<bool> {
    let directory = rustc(&["--print", "target-libdir", "--target", target])
        .with_context(|| format!("cannot build for {target}"))?;
    if Path::new(&directory).is_dir() {
        return Ok(true);
    }
    // Without rustup, this fails; then the user has to install the distribution's package.
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .status();
    Ok(added.is_ok_and(|status| status.success()))
}

pub(super) fn rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    stdout_of(Command::new(rustc).args(arguments))
}

/// Returns the architecture of a target triple, such as `x86_64`.
pub(super) fn architecture(target: &str) -> &str {
    target.split('-').next().unwrap_or(target)
}

fn is_in_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}
