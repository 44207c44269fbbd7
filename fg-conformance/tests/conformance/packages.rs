//! PKG: a valid ZIP, and ZIPs with one fault.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fg_conformance::Outcome::{self, Fail, Pass, Skip, Warn};
use fg_conformance::{Checks, Error, ExtensionUnderTest, Report, Selection};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::{check, detail, ids};

const SCRIPT: &str = "#!/bin/sh\nexec python3 \"${0%/*}/night_watch.py\"\n";
const PYTHON: &str = include_str!("../night_watch.py");

/// A ZIP under construction.
struct Zip {
    path: PathBuf,
    writer: ZipWriter<File>,
    _directory: TempDir,
}

impl Zip {
    /// Creates a ZIP with this many bytes before it, as a sparse file.
    fn after(bytes: u64) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("night-watch.zip");
        let mut file = File::create(&path).expect("a file");
        file.seek(SeekFrom::Start(bytes))
            .expect("a file has positions");
        Self {
            path,
            writer: ZipWriter::new(file),
            _directory: directory,
        }
    }

    fn new() -> Self {
        Self::after(0)
    }

    fn add(mut self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .unix_permissions(mode);
        self.writer.start_file(name, options).expect("a new name");
        self.writer
            .write_all(content.as_ref())
            .expect("room for it");
        self
    }

    /// Adds the files of a valid ZIP.
    fn good(self) -> Self {
        self.add("extension/extensionNightWatch.sh", 0o755, SCRIPT)
            .add("extension/night_watch.py", 0o644, PYTHON)
    }

    /// Checks the ZIP in these cases, or in all cases if there are no names.
    async fn check(self, names: &[&str]) -> Report {
        self.writer.finish().expect("a list of files");
        check(ExtensionUnderTest::zip(&self.path), names).await
    }

    /// Checks the PKG cases only.
    async fn check_package(self) -> Report {
        self.writer.finish().expect("a list of files");
        let report = check_package(&self.path).await;
        report.expect("a ZIP that can be read")
    }
}

/// Checks the PKG cases, which need neither a process nor a port.
async fn check_package(path: &Path) -> Result<Report, Error> {
    let checks = Checks::new(ExtensionUnderTest::zip(path));
    checks.select(Selection::parse(["PKG"])?).run().await
}

/// Returns the header of an ELF program for this machine, with this loader.
fn elf(machine: u16, loader: Option<&str>) -> Vec<u8> {
    let loader = loader.map(|path| format!("{path}\0")).unwrap_or_default();
    let headers = u16::from(!loader.is_empty());
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2_u16.to_le_bytes()); // an executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes()); // version
    elf.extend(0x40_0000_u64.to_le_bytes()); // entry
    elf.extend(64_u64.to_le_bytes()); // program headers
    elf.extend(0_u64.to_le_bytes()); // no section headers
    elf.extend(0_u32.to_le_bytes()); // flags
    for half in [64, 56, headers, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    if headers > 0 {
        elf.extend(3_u32.to_le_bytes()); // PT_INTERP
        elf.extend(4_u32.to_le_bytes()); // readable
        let length = loader.len() as u64;
        for word in [120, 0, 0, length, length, 1] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(loader.as_bytes());
    }
    elf
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const RISCV: u16 = 243;

#[track_caller]
fn assert_only(report: &Report, outcome: Outcome, id: &str, expected: &str) {
    assert_eq!(ids(report, outcome, ""), [id], "{report}");
    assert_eq!(detail(report, id), expected);
    let other = if outcome == Fail { Warn } else { Fail };
    assert_eq!(report.count(other), 0, "{report}");
}

#[tokio::test]
async fn good_package_is_booted_from_the_zip() {
    let zip = Zip::new()
        .good()
        .add("extension/helper", 0o755, elf(X86_64, None));
    let report = zip.check(&[]).await;
    assert_eq!(report.count(Fail), 0, "{report}");
    assert_eq!(ids(&report, Pass, "").len(), 32, "{report}");
    assert_eq!(report.findings().count(), 32);
    assert_eq!(detail(&report, "PKG-07"), "extension/helper is static");
}

#[tokio::test]
async fn an_invalid_package_is_not_booted() {
    let zip = Zip::new().add("extension/extensionNightWatch.sh", 0o644, SCRIPT);
    let report = zip.check(&[]).await;
    let mode = "extension/extensionNightWatch.sh has mode 0644";
    assert_only(&report, Fail, "PKG-03", mode);
    // All cases with a process are skipped.
    assert_eq!(
        ids(&report, Skip, "blocked by PKG-03").len(),
        19,
        "{report}"
    );
}

#[tokio::test]
async fn programs_for_other_machines_are_not_booted() {
    let zip = Zip::new()
        .good()
        .add("extension/watch", 0o755, elf(AARCH64, None));
    let report = zip.check(&["PKG", "REG-01"]).await;
    assert_eq!(report.count(Fail), 0, "{report}");
    let unknown = "extension/watch is built for aarch64; it is unknown whether the platform has such machines";
    assert_only(&report, Warn, "PKG-06", unknown);
    assert_eq!(detail(&report, "REG-01"), "blocked by PKG-06");
}

#[tokio::test]
async fn each_fault_fails_exactly_one_case() {
    let script = "extension/extensionNightWatch.sh";
    for (id, zip, detail) in [
        (
            "PKG-01",
            Zip::new().add("extensionNightWatch.sh", 0o755, SCRIPT),
            "there is no folder `extension` at the top level",
        ),
        (
            "PKG-02",
            Zip::new().add("extension/start.sh", 0o755, SCRIPT),
            "no start script; the folder contains start.sh",
        ),
        (
            "PKG-02",
            Zip::new()
                .good()
                .add("extension/extensionOther.sh", 0o755, SCRIPT),
            "several start scripts: extensionNightWatch.sh, extensionOther.sh",
        ),
        (
            "PKG-03",
            Zip::new()
                .good()
                .add("extension/watch", 0o644, elf(X86_64, None)),
            "extension/watch has mode 0644",
        ),
        (
            "PKG-04",
            Zip::new().add(script, 0o755, SCRIPT.replace('\n', "\r\n")),
            "line 1 has a carriage return",
        ),
        (
            "PKG-05",
            Zip::new().add(script, 0o755, "exec python3 night_watch.py\n"),
            "the first line does not start with `#!`",
        ),
        (
            "PKG-06",
            Zip::new()
                .good()
                .add("extension/watch", 0o755, elf(RISCV, None)),
            "extension/watch is built for Riscv64",
        ),
        (
            "PKG-07",
            Zip::new().good().add(
                "extension/watch",
                0o755,
                elf(X86_64, Some("/lib/ld-musl-x86_64.so.1")),
            ),
            "extension/watch needs the loader /lib/ld-musl-x86_64.so.1, which does not belong to glibc",
        ),
        (
            "PKG-11",
            Zip::new().good().add("extension/notes.txt~", 0o644, ""),
            "extension/notes.txt~",
        ),
        (
            "PKG-12",
            Zip::new().good().add("extension/../../outside", 0o644, ""),
            "extension/../../outside",
        ),
    ] {
        assert_only(&zip.check_package().await, Fail, id, detail);
    }
}

#[tokio::test]
async fn packages_over_the_limits_fail() {
    let report = Zip::after(10_000_000).good().check_package().await;
    let detail = "10.00 MB, over the limit of a direct upload: 10 MB";
    assert_only(&report, Warn, "PKG-08", detail);

    let report = Zip::after(300_000_000).good().check_package().await;
    assert_eq!(ids(&report, Fail, ""), ["PKG-09"], "{report}");
    assert_eq!(ids(&report, Warn, ""), ["PKG-08"], "{report}");

    let files = (0..29_999).fold(Zip::new().good(), |zip, i| {
        zip.add(&format!("extension/files/{i}"), 0o644, "")
    });
    assert_only(&files.check_package().await, Fail, "PKG-10", "30001 files");
}

#[tokio::test]
async fn links_may_not_lead_outside() {
    let with_link = async |target: &str| {
        let mut zip = Zip::new().good();
        let options = SimpleFileOptions::default();
        let link = zip
            .writer
            .add_symlink("extension/lib/link", target, options);
        link.unwrap();
        zip.check_package().await
    };
    let report = with_link("../night_watch.py").await;
    assert_eq!(ids(&report, Fail, ""), [""; 0], "{report}");
    for target in ["../../../outside", "/etc/passwd"] {
        let detail = format!("extension/lib/link (a link to {target})");
        assert_only(&with_link(target).await, Fail, "PKG-12", &detail);
    }
}

#[tokio::test]
async fn two_files_with_the_same_name_fail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("twice.zip");
    let zip = Zip::new()
        .good()
        .add("extension/notes.one", 0o644, "1")
        .add("extension/notes.two", 0o644, "2");
    zip.writer.finish().unwrap();
    // The `zip` crate rejects duplicate names, so a name is changed in the finished file.
    let mut bytes = std::fs::read(&zip.path).unwrap();
    let (old, new) = (b"extension/notes.two", b"extension/notes.one");
    let places: Vec<_> = (0..bytes.len() - old.len())
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    std::fs::write(&path, bytes).unwrap();
    let report = check_package(&path).await.unwrap();
    assert_only(&report, Fail, "PKG-13", "extension/notes.one");
}

#[tokio::test]
async fn an_invalid_zip_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("invalid.zip");
    std::fs::write(&path, "not a ZIP").unwrap();
    let error = check_package(&path).await.unwrap_err();
    let message = format!("cannot read {} as a ZIP", path.display());
    assert_eq!(error.to_string(), message);
    // `Debug` adds the cause, because a test that returns the error prints it that way.
    assert!(format!("{error:?}").starts_with(&format!("{message}: ")));
}
