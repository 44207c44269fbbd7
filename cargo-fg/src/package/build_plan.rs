//! How to build for FunctionGraph: statically linked, since nobody can tell the glibc of its image (?).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::cargo::{has_key, is_configured, stdout_of};

/// The target, and what cargo is given to build for it.
pub(crate) struct BuildPlan {
    /// The target triple.
    pub(crate) target: String,
    /// A note for the user.
    pub(crate) note: Option<String>,
    /// Whether this machine cannot run the program.
    pub(crate) is_cross: bool,
    /// Options for cargo.
    pub(crate) options: Vec<String>,
    /// Variables for cargo.
    pub(crate) environment: Vec<(String, String)>,
}

impl BuildPlan {
    /// Plans a build for the target, or for one that this machine's processor runs. The manifest of the workspace may
    /// have a profile, which is not overridden.
    pub(crate) fn new(wanted: Option<&str>, workspace: &Path) -> anyhow::Result<Self> {
        let host =
            rustc(&["--print", "host-tuple"]).context("cannot tell this machine's target")?;
        let here = architecture(&host);
        let musl = format!("{here}-unknown-linux-musl");
        let (target, note) = match wanted {
            Some(target) if !target.contains("-linux-") => {
                bail!("FunctionGraph runs Linux, and {target} is none: try {musl}")
            }
            Some(target) if !install(target)? => {
                bail!("{target} is not installed, and `rustup target add {target}` does not get it")
            }
            Some(target) => (target.to_owned(), None),
            None if install(&musl)? => (musl, None),
            None => {
                let note = format!(
                    "{musl} is not installed, and rustup does not get it: glibc is linked in instead"
                );
                (host.clone(), Some(note))
            }
        };
        let mut plan = Self {
            is_cross: architecture(&target) != here,
            options: vec!["--release".to_owned(), format!("--target={target}")],
            environment: Vec::new(),
            target,
            note,
        };
        plan.make_small(workspace);
        if plan.target.contains("-musl") {
            plan.select_linker();
        } else {
            plan.link_glibc_in();
        }
        Ok(plan)
    }

    /// Turns on what makes a release build smaller, since every byte is loaded at a cold start.
    fn make_small(&mut self, workspace: &Path) {
        let settings = [("strip", "symbols"), ("lto", "fat"), ("codegen-units", "1")];
        for (setting, value) in settings {
            let key = ["profile", "release", setting];
            if !has_key(&workspace.join("Cargo.toml"), &key) && !is_configured(&key) {
                let name = setting.to_uppercase().replace('-', "_");
                self.set(&format!("CARGO_PROFILE_RELEASE_{name}"), value);
            }
        }
    }

    /// Finds a linker, and a compiler for C, if none is configured. Rust includes musl itself.
    fn select_linker(&mut self) {
        let target = self.target.clone();
        let variable = target.replace('-', "_");
        if self.is_cross {
            if !is_configured(&["target", &target, "linker"]) {
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
            // For the same processor, glibc's compiler does, as long as it takes no short cuts into glibc.
            self.set(&compiler, "cc");
            if std::env::var_os(format!("CFLAGS_{variable}")).is_none() {
                self.set(&format!("CFLAGS_{variable}"), "-U_FORTIFY_SOURCE");
            }
        }
    }

    fn link_glibc_in(&mut self) {
        let flag = "-Ctarget-feature=+crt-static";
        // The variable, where it is there, hides what is configured.
        match std::env::var("RUSTFLAGS") {
            Ok(flags) => self.set("RUSTFLAGS", &format!("{flags} {flag}")),
            Err(_) => {
                let rustflags = format!("target.{}.rustflags=[\"{flag}\"]", self.target);
                self.options.extend(["--config".to_owned(), rustflags]);
            }
        }
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }
}

/// Returns whether the target's standard library is installed, after an attempt to install it.
fn install(target: &str) -> anyhow::Result<bool> {
    let folder = rustc(&["--print", "target-libdir", "--target", target])
        .with_context(|| format!("there is no target {target}"))?;
    if Path::new(&folder).is_dir() {
        return Ok(true);
    }
    // Without rustup, the distribution's package has to be installed.
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .status();
    Ok(added.is_ok_and(|status| status.success()))
}

fn rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    stdout_of(Command::new(rustc).args(arguments))
}

/// The architecture of a target triple: `x86_64`.
fn architecture(target: &str) -> &str {
    target.split('-').next().unwrap_or(target)
}

fn is_in_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}
