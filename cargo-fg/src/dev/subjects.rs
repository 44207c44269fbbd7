//! What is booted on one platform: the subject, and what comes `--also`.

use std::hash::{DefaultHasher, Hash, Hasher};

use fg_emulator::ExtensionCommand;

use crate::build::Target;
use crate::subject::{Kind, Prepared, Subject};

/// All of them, ready to boot.
pub(crate) struct Subjects(Vec<(Prepared, Option<u64>)>);

/// Builds or unpacks all of them.
pub(crate) fn prepare(subject: Option<&Subject>, also: &[String]) -> anyhow::Result<Subjects> {
    let subject = subject.map(Subject::prepare);
    let also = also.iter().map(|also| match also.split_once('=') {
        Some((script, command)) => Prepared::command(script, command),
        None => Prepared::built(&Target::of_package(also)),
    });
    let all = subject.into_iter().chain(also).map(|prepared| {
        let prepared = prepared?;
        let print = fingerprint(&prepared);
        Ok((prepared, print))
    });
    all.collect::<anyhow::Result<_>>().map(Subjects)
}

impl Subjects {
    pub(crate) fn scripts(&self) -> Vec<String> {
        self.iter()
            .map(|prepared| prepared.script.clone())
            .collect()
    }

    pub(crate) fn boots(&self) -> Vec<ExtensionCommand> {
        self.iter().map(Prepared::boot).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Prepared> {
        self.0.iter().map(|(prepared, _)| prepared)
    }

    /// Whether a build has made the same again. Of commands and ZIPs nobody knows, and a save asks for a reboot.
    pub(crate) fn are_as(&self, others: &Self) -> bool {
        let prints = |subjects: &Self| subjects.0.iter().map(|(_, print)| *print).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = (prints(self), prints(others));
        ours == theirs && ours.iter().all(Option::is_some)
    }
}

/// Of the bytes of a program that cargo built.
fn fingerprint(prepared: &Prepared) -> Option<u64> {
    let Kind::Built(built) = &prepared.kind else {
        return None;
    };
    let mut hasher = DefaultHasher::new();
    std::fs::read(&built.path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}
