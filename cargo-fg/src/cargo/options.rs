//! The options of cargo that every subcommand which builds accepts, and passes on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Options that select what cargo compiles, and where.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct CargoOptions {
    /// Features to enable, separated by commas (repeatable)
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<String>,
    /// Enable all features
    #[arg(long)]
    all_features: bool,
    /// Do not enable the `default` feature
    #[arg(long)]
    no_default_features: bool,
    /// Build in the release profile
    #[arg(short, long, conflicts_with = "profile")]
    release: bool,
    /// Build in this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Cargo.toml of the package or its workspace (default: found from the current directory)
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Directory to build into (default: target in the workspace)
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
}

impl CargoOptions {
    /// Returns the same options, with the release profile if they select no profile.
    pub(crate) fn or_release(mut self) -> Self {
        self.release |= self.profile.is_none();
        self
    }

    /// Returns the name of the profile for messages. The profile `dev` makes a debug build.
    pub(crate) fn profile_name(&self) -> &str {
        match &self.profile {
            _ if self.release => "release",
            None => "debug",
            Some(name) if name == "dev" => "debug",
            Some(name) => name,
        }
    }

    /// Returns the arguments for `cargo build`.
    pub(super) fn arguments(&self) -> Vec<String> {
        let flags = [
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--release", self.release),
        ];
        let flags = flags.iter().filter(|(_, is_set)| *is_set);
        let mut arguments: Vec<_> = flags.map(|(flag, _)| (*flag).to_owned()).collect();
        let features = self.features.iter().map(|it| format!("--features={it}"));
        arguments.extend(features);
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        for (option, value) in [
            ("--profile", self.profile.clone()),
            ("--manifest-path", path(&self.manifest_path)),
            ("--target-dir", path(&self.target_dir)),
        ] {
            arguments.extend(value.map(|value| format!("{option}={value}")));
        }
        arguments
    }

    /// Returns the manifest that cargo starts from: `--manifest-path`, or the nearest one around the current directory.
    pub(super) fn manifest(&self) -> Option<PathBuf> {
        if let Some(path) = &self.manifest_path {
            return path.canonicalize().ok();
        }
        let current = std::env::current_dir().ok()?;
        let mut manifests = current.ancestors().map(|it| it.join("Cargo.toml"));
        manifests
            .find(|path| path.is_file())
            .and_then(|path| Path::canonicalize(&path).ok())
    }

    /// Returns the directory that cargo starts from: that of `--manifest-path`, or the current one.
    pub(crate) fn directory(&self) -> PathBuf {
        let of_manifest = self.manifest_path.as_deref().and_then(Path::parent);
        let of_manifest = of_manifest.and_then(|it| it.canonicalize().ok());
        of_manifest.unwrap_or_else(|| std::env::current_dir().unwrap_or_default())
    }

    /// Returns the features of a package that these options enable, including those that other features enable.
    pub(super) fn enabled<'a>(
        &'a self,
        package: &'a str,
        features: &'a std::collections::BTreeMap<String, Vec<String>>,
    ) -> BTreeSet<&'a str> {
        let named = self.features.iter().flat_map(|it| it.split([',', ' ']));
        let named = named.map(|name| match name.split_once('/') {
            Some((of, name)) if of == package => name,
            _ => name,
        });
        let all = features.keys().map(String::as_str);
        let default = (!self.no_default_features).then_some("default");
        let mut pending: Vec<_> = named.chain(default).collect();
        pending.extend(all.filter(|_| self.all_features));
        let mut enabled = BTreeSet::new();
        while let Some(name) = pending.pop() {
            if let Some(others) = features.get(name)
                && enabled.insert(name)
            {
                pending.extend(others.iter().map(String::as_str));
            }
        }
        enabled
    }
}
