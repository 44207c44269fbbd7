//! The extensions of one instance, in the order in which they boot.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{anyhow, bail};
use fg_conformance::artifact::check_executable;
use fg_emulator::ExtensionCommand;

use super::boot_spec::{BootProgram, BootSpec};
use super::extension_source::ExtensionSource;
use crate::cargo::{CargoOptions, build_to_run};

/// Extensions that are ready to boot on one instance.
pub(crate) struct BootSet {
    /// Each extension with the fingerprint of its program if it was built.
    specs: Vec<(BootSpec, Option<u64>)>,
    /// The fingerprint of the function's file, if the function is not synthetic.
    function: Option<u64>,
}

impl BootSet {
    /// Prepares the extensions for an instance that runs this function: builds the packages with one run of cargo, and unpacks
    /// the ZIPs.
    ///
    /// # Errors
    ///
    /// Returns an error if an extension cannot be built or unpacked, if two have the same script name, or if the function
    /// cannot be run. What can be checked before the build is checked before it.
    pub(crate) fn prepare(
        sources: &[ExtensionSource],
        options: &CargoOptions,
        function: Option<&Path>,
    ) -> anyhow::Result<Self> {
        function.map(check_function).transpose()?;
        sources.iter().try_for_each(ExtensionSource::check)?;
        check_distinct(sources.iter().filter_map(ExtensionSource::script_name))?;
        let targets = sources.iter().filter_map(|source| match source {
            ExtensionSource::Package(target, _) => Some(target.clone()),
            _ => None,
        });
        let targets: Vec<_> = targets.collect();
        let mut built = build_to_run(&targets, options)?.into_iter();
        let specs = sources.iter().map(|source| {
            let spec = source.prepare(&mut built)?;
            let fingerprint = fingerprint(&spec);
            Ok((spec, fingerprint))
        });
        let set = Self {
            specs: specs.collect::<anyhow::Result<_>>()?,
            function: function.and_then(hash_of),
        };
        check_distinct(set.iter().map(|spec| spec.script_name.as_str()))?;
        Ok(set)
    }

    /// Removes the first extension, and returns it.
    pub(crate) fn remove_first(&mut self) -> Option<BootSpec> {
        let first = (!self.specs.is_empty()).then(|| self.specs.remove(0));
        first.map(|(spec, _)| spec)
    }

    pub(crate) fn script_names(&self) -> Vec<String> {
        self.iter().map(|spec| spec.script_name.clone()).collect()
    }

    pub(crate) fn commands(&self) -> Vec<ExtensionCommand> {
        self.iter().map(BootSpec::command).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BootSpec> {
        self.specs.iter().map(|(spec, _)| spec)
    }

    /// Returns whether both sets have the same programs and the same function. Commands and ZIPs have no fingerprint, so they
    /// always count as changed.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let fingerprints = |set: &Self| {
            set.specs
                .iter()
                .map(|(_, fingerprint)| *fingerprint)
                .collect()
        };
        let (own, others): (Vec<_>, Vec<_>) = (fingerprints(self), fingerprints(other));
        self.function == other.function && own == others && own.iter().all(Option::is_some)
    }
}

/// Checks that no script name occurs twice.
fn check_distinct<'a>(names: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!(
                "two extensions have the script name {name}; each extension of a function needs its own"
            );
        }
    }
    Ok(())
}

/// Returns the hash of a program that cargo built, and `None` for commands and ZIPs.
fn fingerprint(spec: &BootSpec) -> Option<u64> {
    let BootProgram::Built(built) = &spec.program else {
        return None;
    };
    hash_of(&built.path)
}

/// Returns the hash of a file, and `None` if it cannot be read.
fn hash_of(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

/// Checks that the function's file can be run.
fn check_function(path: &Path) -> anyhow::Result<()> {
    check_executable(path)
        .map_err(|problem| anyhow!("cannot run the function {}: {problem}", path.display()))
}
