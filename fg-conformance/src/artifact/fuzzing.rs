//! The fuzz target of the ZIP reader behind `cargo fg check FILE.zip`.
//!
//! `fuzz/` runs it with libFuzzer, and the property test below on the corpus in `fuzz/corpus/zip/` and on mutations of it.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use tempfile::TempDir;

use super::cancellation::Cancellation;
use super::entry::Kind;
use super::unpack::unpack;
use super::{Archive, Elf, ZipError, examine, script_name_marker};
use crate::cases::{CASES, CaseId, Group, Selection, ZipScripts, check_zip, record_unreadable_zip};
use crate::report::{Outcome, Report};

/// The size up to which an archive is unpacked, which takes time.
const MAX_UNPACKED: u64 = 256 * 1024;

/// Examines a ZIP and unpacks it. Compares the names of its files with a simple reading of the central directory.
pub fn zip(data: &[u8]) {
    check_program(data);
    let directory = TempDir::with_prefix("fg-fuzz-zip-").unwrap();
    let path = directory.path().join("demo.zip");
    fs::write(&path, data).unwrap();
    let archive = match Archive::open(&path, Cancellation::default()) {
        Ok(archive) => archive,
        Err(ZipError::Invalid(reason)) => {
            let mut report = Report::new(Selection::all());
            record_unreadable_zip(reason, &mut report);
            return check_complete(&report);
        }
        Err(error) => panic!("{error:?}"),
    };
    let names: Vec<_> = archive.files().map(|entry| entry.name.clone()).collect();
    if let Some(expected) = expected_names(data) {
        let links = archive.files().filter(|entry| entry.kind == Kind::Link);
        let is_plain = links.count() + names.len() == archive.entries().len();
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|name| !name.ends_with('/'))
            .collect();
        assert!(names == expected || !is_plain);
    }
    let size = archive.entries().iter().map(|entry| entry.size);
    if size.fold(0, u64::saturating_add) > MAX_UNPACKED {
        return;
    }
    check_unpacked(&archive);
    let mut report = Report::new(Selection::all());
    let zip = examine(&path, Cancellation::default()).expect("a ZIP with a list of files");
    let scripts = ZipScripts::read(&zip.archive);
    let script = scripts.names().into_iter().next();
    check_zip(zip, &scripts, script.as_deref(), &mut report);
    check_complete(&report);
    check_names(&archive, &names, &report);
}

/// Tests that there is a finding for each PKG case.
fn check_complete(report: &Report) {
    let findings = report.findings().map(|(case, _)| case.id);
    let findings: BTreeSet<_> = findings.map(CaseId::as_str).collect();
    let package = |id: &CaseId| id.group() == Group::Package;
    for id in CASES.iter().map(|case| case.id).filter(package) {
        assert!(findings.contains(id.as_str()), "{id}");
    }
}

/// Tests the findings about names.
fn check_names(archive: &Archive, names: &[String], report: &Report) {
    for script in archive.script_names() {
        let path = format!("extension/{script}");
        assert!(names.iter().any(|name| normalized(name) == path), "{path}");
    }
    let escaping = archive.escaping_paths();
    let is_failed = |id: CaseId| {
        let finding = report.findings().find(|(case, _)| case.id == id);
        finding.is_some_and(|(_, finding)| finding.outcome == Outcome::Fail)
    };
    assert_eq!(is_failed(CaseId::Pkg12), !escaping.is_empty());
    assert_eq!(
        is_failed(CaseId::Pkg11),
        names.iter().any(|name| name.ends_with('~'))
    );
    for name in names {
        // On Linux, a backslash is part of a name.
        let is_plain = !name.contains('\\');
        assert!(
            !is_plain || escaping.contains(name) == escapes(Path::new(name)),
            "{name}"
        );
    }
    let mut seen = BTreeSet::new();
    let inside = names.iter().filter(|name| !escapes(Path::new(name)));
    let again = inside.map(|name| normalized(name));
    let again: BTreeSet<_> = again.filter(|name| !seen.insert(name.clone())).collect();
    assert_eq!(
        archive.duplicates(),
        again.iter().cloned().collect::<Vec<_>>()
    );
    assert_eq!(is_failed(CaseId::Pkg13), !again.is_empty());
}

fn escapes(path: &Path) -> bool {
    let mut depth = 0;
    path.components().any(|component| {
        match component {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => depth = -1,
        }
        depth < 0
    })
}

fn normalized(name: &str) -> String {
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().unwrap()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Unpacks a small archive. Tests that only what is in the ZIP is in the directory, and that the start scripts are.
fn check_unpacked(archive: &Archive) {
    let directory = match unpack(archive) {
        Ok(directory) => directory,
        Err(ZipError::Invalid(_)) => return,
        Err(error) => panic!("{error:?}"),
    };
    for script in archive.script_names() {
        let script = directory.path().join("extension").join(script);
        assert!(script.symlink_metadata().is_ok(), "{script:?}");
    }
    let paths: BTreeSet<_> = archive
        .entries()
        .iter()
        .filter_map(|entry| entry.path.as_deref())
        .collect();
    let mut folders = vec![directory.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(directory.path()).unwrap();
                assert!(paths.contains(path.to_str().unwrap()), "{path:?}");
            }
        }
    }
}

/// Returns the names in the central directory, or `None` if there is anything unusual about it.
fn expected_names(data: &[u8]) -> Option<Vec<String>> {
    const END: usize = 22;
    let end = data.len().checked_sub(END)?;
    let number = |at: usize, length: usize| {
        let bytes = data.get(at..at + length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    };
    let is = |at: usize, signature: &[u8; 4]| data.get(at..at + 4) == Some(signature);
    let (size, start) = (number(end + 12, 4)?, number(end + 16, 4)?);
    let counts = [number(end + 8, 2)?, number(end + 10, 2)?];
    let is_usual = is(end, b"PK\x05\x06") && number(end + 4, 4)? == 0 && number(end + 20, 2)? == 0;
    if !is_usual || start + size != end || counts[0] != counts[1] {
        return None;
    }
    let mut names = Vec::new();
    let mut at = start;
    while at < end {
        if !is(at, b"PK\x01\x02") {
            return None;
        }
        let lengths = [
            number(at + 28, 2)?,
            number(at + 30, 2)?,
            number(at + 32, 2)?,
        ];
        let name = data.get(at + 46..at + 46 + lengths[0])?;
        names.push(String::from_utf8_lossy(name).into_owned());
        at += 46 + lengths.iter().sum::<usize>();
    }
    (at == end && names.len() == counts[0]).then_some(names)
}

/// Reads a file as a program.
fn check_program(data: &[u8]) {
    if let Ok(elf) = Elf::parse(data) {
        assert!(data.starts_with(b"\x7fELF\x02"));
        let _needs = elf.needs();
    }
    let marker = b"\x1ffg-extension:name=extension";
    let has_marker = data.windows(marker.len()).any(|bytes| bytes == marker);
    let names = script_name_marker::find(data);
    assert!(has_marker || names.is_empty());
    assert!(
        names
            .iter()
            .all(|name| fg_emulator::ScriptName::is_valid(name))
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn zip() {
        fuzz_corpus::check("zip", 1_000, super::zip);
    }
}
