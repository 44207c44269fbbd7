//! Selects the programs to build from the metadata of the workspace, so that mistakes are found before cargo builds.

use anyhow::bail;

use super::options::CargoOptions;
use super::workspace::{Package, Target, Workspace};

/// The program that cargo builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildTarget {
    /// The package; by default, the one in the current directory.
    pub(crate) package: Option<String>,
    pub(crate) program: ProgramChoice,
}

/// A choice of one program of a package.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProgramChoice {
    /// The binary, if the package has exactly one, or the one that is its `default-run`.
    #[default]
    OnlyBinary,
    Binary(String),
    Example(String),
}

/// A program of a package in the workspace.
#[derive(Debug)]
pub(crate) struct SelectedProgram {
    pub(crate) package: String,
    pub(super) package_id: String,
    pub(crate) name: String,
    pub(super) kind: &'static str,
    /// The names of all programs of this kind in the package.
    pub(super) siblings: Vec<String>,
}

impl BuildTarget {
    /// Returns the target for a package that has exactly one binary.
    pub(crate) fn of_package(name: &str) -> Self {
        Self {
            package: Some(name.to_owned()),
            program: ProgramChoice::OnlyBinary,
        }
    }
}

impl ProgramChoice {
    fn name(&self) -> Option<&str> {
        match self {
            Self::OnlyBinary => None,
            Self::Binary(name) | Self::Example(name) => Some(name),
        }
    }

    /// Returns cargo's name for the kind, and the one in messages.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::OnlyBinary | Self::Binary(_) => ("bin", "binary"),
            Self::Example(_) => ("example", "example"),
        }
    }
}

impl Workspace {
    /// Selects the program of each target, in the same order.
    ///
    /// # Errors
    ///
    /// Returns an error if a target matches no program or several, if its program requires features that are not enabled,
    /// or if two of the programs cannot be built, since they are the same or cargo writes them to the same file.
    pub(crate) fn select(
        &self,
        targets: &[BuildTarget],
        options: &CargoOptions,
    ) -> anyhow::Result<Vec<SelectedProgram>> {
        let mut selected: Vec<SelectedProgram> = Vec::new();
        for target in targets {
            let program = self.select_one(target, options)?;
            let is_like =
                |it: &&SelectedProgram| (it.kind, &it.name) == (program.kind, &program.name);
            match selected.iter().find(is_like) {
                Some(other) if other.package == program.package => bail!(
                    "`{}` of package `{}` is selected twice; an extension can be booted only once on an instance",
                    program.name,
                    program.package
                ),
                Some(other) => bail!(
                    "the packages `{}` and `{}` both have a binary `{}`, and cargo writes both to the same file; rename one \
                     of them with [[bin]] in its Cargo.toml",
                    other.package,
                    program.package,
                    program.name
                ),
                None => selected.push(program),
            }
        }
        Ok(selected)
    }

    /// Returns the package of a target; `None` if it cannot be determined.
    pub(crate) fn package_of(
        &self,
        target: &BuildTarget,
        options: &CargoOptions,
    ) -> Option<&Package> {
        if let [package] = self.candidates(target, options).ok()?[..] {
            return Some(package);
        }
        let program = self.select_one(target, options).ok()?;
        self.packages.iter().find(|it| it.id == program.package_id)
    }

    fn select_one(
        &self,
        target: &BuildTarget,
        options: &CargoOptions,
    ) -> anyhow::Result<SelectedProgram> {
        let packages = self.candidates(target, options)?;
        let (kind, noun) = target.program.kind();
        let all = packages
            .iter()
            .flat_map(|package| package.programs(kind).map(|program| (*package, program)));
        let wanted = |(package, program): &(&Package, &Target)| match target.program.name() {
            Some(name) => program.name == name,
            None => package
                .default_run
                .as_ref()
                .is_none_or(|it| *it == program.name),
        };
        let (enabled, disabled): (Vec<_>, Vec<_>) = all
            .filter(wanted)
            .partition(|(package, program)| missing_features(package, program, options).is_empty());
        match (&enabled[..], &disabled[..]) {
            ([(package, program)], _) => Ok(SelectedProgram {
                package: package.name.clone(),
                package_id: package.id.clone(),
                name: program.name.clone(),
                kind,
                siblings: package.programs(kind).map(|it| it.name.clone()).collect(),
            }),
            ([], [(package, program), ..]) => bail!(
                "the {noun} `{}` of package `{}` requires features that are not enabled; add --features {}",
                program.name,
                package.name,
                missing_features(package, program, options).join(",")
            ),
            ([], []) => Err(no_program(&packages, target)),
            (several, _) if packages.len() == 1 => {
                let names = several.iter().map(|(_, program)| program.name.as_str());
                bail!(
                    "package `{}` has several binaries: {}; choose one with --bin, or with `default-run` in its Cargo.toml",
                    packages[0].name,
                    names.collect::<Vec<_>>().join(", ")
                )
            }
            (several, _) => {
                let mut names: Vec<_> = several.iter().map(|(it, _)| it.name.as_str()).collect();
                names.dedup();
                bail!(
                    "the workspace has several packages with a {noun}: {}; choose one with -p",
                    names.join(", ")
                )
            }
        }
    }

    /// Returns the packages that cargo selects for the target.
    fn candidates(
        &self,
        target: &BuildTarget,
        options: &CargoOptions,
    ) -> anyhow::Result<Vec<&Package>> {
        let packages = self.packages.iter();
        let Some(wanted) = &target.package else {
            let manifest = options.manifest();
            let is_nearest = |it: &&Package| it.manifest_path.canonicalize().ok() == manifest;
            let root = self.root.join("Cargo.toml").canonicalize().ok();
            return Ok(match packages.clone().find(is_nearest) {
                Some(package) if manifest != root => vec![package],
                _ => packages
                    .filter(|it| self.default_members.contains(&it.id))
                    .collect(),
            });
        };
        let is_wanted =
            |it: &&Package| it.name == *wanted || format!("{}@{}", it.name, it.version) == *wanted;
        let found: Vec<_> = packages.clone().filter(is_wanted).collect();
        if found.is_empty() {
            let with_binary = packages.filter(|it| it.programs("bin").next().is_some());
            let names: Vec<_> = with_binary.map(|it| it.name.as_str()).collect();
            bail!(
                "the workspace {} has no package `{wanted}`; its packages with a binary are {}",
                self.root.display(),
                names.join(", ")
            );
        }
        Ok(found)
    }
}

impl Package {
    /// Returns the programs of this kind, `bin` or `example`.
    fn programs(&self, kind: &str) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |target| {
            target.kind.iter().any(|it| it == kind)
                && target.crate_types.iter().any(|it| it == "bin")
        })
    }
}

/// Returns the features that the program requires, and that neither the options nor other features enable.
fn missing_features<'a>(
    package: &Package,
    program: &'a Target,
    options: &CargoOptions,
) -> Vec<&'a str> {
    let enabled = options.enabled(&package.name, &package.features);
    let required = program.required_features.iter().map(String::as_str);
    // Only cargo knows whether a feature of a dependency, such as `serde/std`, is enabled.
    required
        .filter(|name| !name.contains('/') && !enabled.contains(name))
        .collect()
}

fn no_program(packages: &[&Package], target: &BuildTarget) -> anyhow::Error {
    let (kind, noun) = target.program.kind();
    let place = match packages {
        [package] => format!("package `{}`", package.name),
        _ => "the workspace".to_owned(),
    };
    let names = packages.iter().flat_map(|package| package.programs(kind));
    let names: Vec<_> = names.map(|program| program.name.as_str()).collect();
    match target.program.name() {
        Some(name) if names.is_empty() => anyhow::anyhow!("{place} has no {noun} `{name}`"),
        Some(name) => anyhow::anyhow!(
            "{place} has no {noun} `{name}`; it has {}",
            names.join(", ")
        ),
        None => anyhow::anyhow!(
            "{place} has no binary, so it is not an extension; add a src/main.rs, or choose a package with -p"
        ),
    }
}
