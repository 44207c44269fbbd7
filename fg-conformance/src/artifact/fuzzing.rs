//! The fuzz target of the ZIP reader behind `cargo fg check FILE.zip`.
//!
//! `fuzz/` runs it with libFuzzer, and the property test below on the corpus in `fuzz/corpus/zip/` and on mutations of it.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use tempfile::TempDir;

use super::unpack::unpack;
use super::{Archive, Elf, script_name_marker};
use crate::cases::{CASES, CaseId, Group, Selection, check_zip};
use crate::report::{Outcome, Report};

/// The size up to which an archive is unpacked, which takes time.
const MAX_UNPACKED: u64 = 256 * 1024;

/// Examines a ZIP and unpacks it. Compares the names of its files with a simple reading of the central directory.
pub fn zip(data: &[u8]) {
    check_program(data);
    let directory = TempDir::with_prefix("fg-fuzz-zip-").unwrap();
    let path = directory.path().join("demo.zip");
    fs::write(&path, data).unwrap();
    let mut report = Report::new(Selection::all());
    let checked = check_zip(&path, &mut report);
    if checked.is_ok() {
        let findings = report.findings().map(|(case, _)| case.id);
        let findings: BTreeSet<_> = findings.map(CaseId::as_str).collect();
        for case in CASES
            .iter()
            .filter(|case| case.id.group() == Group::Package)
        {
            assert!(findings.contains(case.id.as_str()), "{}", case.id.as_str());
        }
    }
    let Ok(mut archive) = Archive::open(&path) else {
        assert!(checked.is_err());
        return;
    };
    let names: Vec<_> = archive.files().map(str::to_owned).collect();
    if let Some(expected) = expected_names(data) {
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|name| !name.ends_with('/'))
            .collect();
        assert_eq!(names, expected);
    }
    check_names(&mut archive, &names, checked.is_ok().then_some(&report));
    check_unpacked(&path, &directory.path().join("into"), &names);
}

/// Tests the findings about names.
fn check_names(archive: &mut Archive, names: &[String], report: Option<&Report>) {
    let scripts: Vec<_> = archive.scripts().collect();
    for script in &scripts {
        let name = format!("extension/{script}");
        assert!(names.contains(&name));
        // Only a single script has been read for the report.
        let is_readable = scripts.len() == 1 && report.is_some();
        let text = archive.read_script(&name);
        assert!(text.is_ok_and(|text| text.len() <= 1024 * 1024) || !is_readable);
    }
    let escaping = archive.escaping_paths();
    let Some(report) = report else {
        return;
    };
    let is_failed = |id: CaseId| {
        let finding = report.findings().find(|(case, _)| case.id == id);
        finding.is_some_and(|(_, finding)| finding.outcome == Outcome::Fail)
    };
    let escaping = escaping.expect("a report contains the paths that lead outside");
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
    let again = names.iter().map(|name| normalized(name));
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
    let parts: Vec<_> = name
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    parts.join("/")
}

/// Unpacks a small archive. Tests that there is nothing outside of the directory, and that the start script is inside.
fn check_unpacked(path: &Path, into: &Path, names: &[String]) {
    let parent = into.parent().unwrap();
    let sizes = zip::ZipArchive::new(fs::File::open(path).unwrap());
    let size = sizes.ok().and_then(|archive| archive.decompressed_size());
    if size.is_none_or(|size| size > u128::from(MAX_UNPACKED)) {
        return;
    }
    let script = unpack(path, into);
    for entry in fs::read_dir(parent).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(name == "demo.zip" || name == "into", "{name:?}");
    }
    if let Ok(script) = script {
        assert!(names.contains(&format!("extension/{script}")));
        assert!(
            into.join("extension")
                .join(script)
                .symlink_metadata()
                .is_ok()
        );
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
