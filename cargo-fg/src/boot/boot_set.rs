//! The extensions of one instance, in the order in which they boot.

use std::hash::{DefaultHasher, Hash, Hasher};

use fg_emulator::ExtensionCommand;

use super::boot_spec::{BootProgram, BootSpec};
use super::extension_source::ExtensionSource;

/// Extensions that are ready to boot on one instance, each with the fingerprint of its program if it was built.
pub(crate) struct BootSet(Vec<(BootSpec, Option<u64>)>);

impl BootSet {
    /// Prepares the extensions: builds the packages, splits the commands, and unpacks the ZIPs.
    pub(crate) fn prepare(sources: &[ExtensionSource]) -> anyhow::Result<Self> {
        let specs = sources.iter().map(|source| {
            let spec = source.prepare()?;
            let fingerprint = fingerprint(&spec);
            Ok((spec, fingerprint))
        });
        specs.collect::<anyhow::Result<_>>().map(Self)
    }

    pub(crate) fn script_names(&self) -> Vec<String> {
        self.iter().map(|spec| spec.script_name.clone()).collect()
    }

    pub(crate) fn commands(&self) -> Vec<ExtensionCommand> {
        self.iter().map(BootSpec::command).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BootSpec> {
        self.0.iter().map(|(spec, _)| spec)
    }

    /// Returns whether both sets have the same programs. Commands and ZIPs have no fingerprint, so they always count as
    /// changed.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let fingerprints = |set: &Self| set.0.iter().map(|(_, fingerprint)| *fingerprint).collect();
        let (own, others): (Vec<_>, Vec<_>) = (fingerprints(self), fingerprints(other));
        own == others && own.iter().all(Option::is_some)
    }
}

/// Returns the hash of a program that cargo built, and `None` for commands and ZIPs.
fn fingerprint(spec: &BootSpec) -> Option<u64> {
    let BootProgram::Built(built) = &spec.program else {
        return None;
    };
    let mut hasher = DefaultHasher::new();
    std::fs::read(&built.path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}
