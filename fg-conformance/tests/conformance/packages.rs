//! PKG: a valid ZIP, and ZIPs with one fault.

use std::io::Write;

use fg_conformance::Outcome::{self, Fail, Pass, Skip, Warn};
use fg_conformance::{Checks, ExtensionUnderTest, Report};
use zip::System;
use zip::write::SimpleFileOptions;

use crate::support::{check, detail, ids};
use crate::zip_fixture::{
    AARCH64, PYTHON, RISCV, SCRIPT, X86_64, Zip, check_package, elf, elf_with_libraries,
};

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
    assert_eq!(ids(&report, Skip, ""), ["SET-01"], "{report}");
    let passed = ids(&report, Pass, "").len();
    assert_eq!(passed + 1, report.findings().count(), "{report}");
    assert_eq!(detail(&report, "PKG-07"), "extension/helper is static");
}

#[tokio::test]
async fn an_invalid_package_is_not_booted() {
    let script = SCRIPT.replace('\n', "\r\n");
    let zip = Zip::new().add("extension/extensionNightWatch.sh", 0o755, script);
    let report = zip.check(&[]).await;
    assert_eq!(ids(&report, Fail, ""), ["PKG-04"], "{report}");
    // All cases with a process are skipped.
    let blocked = ids(&report, Skip, "blocked by PKG-04");
    let findings = report.findings().map(|(case, _)| case.id.as_str());
    let with_process: Vec<_> = findings.filter(|id| !id.starts_with("PKG-")).collect();
    assert_eq!(blocked, with_process, "{report}");
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
            "the ZIP has no folder `extension` at the top level",
        ),
        (
            "PKG-02",
            Zip::new().add("extension/start.sh", 0o755, SCRIPT),
            "no start script; the folder contains start.sh",
        ),
        (
            "PKG-02",
            Zip::new().link(script, "../bin/run.sh"),
            "extensionNightWatch.sh is a link to ../bin/run.sh, but the ZIP does not contain bin/run.sh",
        ),
        (
            "PKG-02",
            Zip::new().link(script, "extensionNightWatch.sh"),
            "extensionNightWatch.sh is a link to extensionNightWatch.sh, which leads to no file",
        ),
        (
            "PKG-02",
            Zip::new()
                .link(script, "lib")
                .add("extension/lib/watch.sh", 0o755, SCRIPT),
            "extensionNightWatch.sh is a link to lib, which is a folder",
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
            "PKG-04",
            Zip::new()
                .good()
                .add("extension/extensionOther.sh", 0o755, "#!/bin/sh\n\r\n"),
            "extensionOther.sh: line 2 has a carriage return",
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
        (
            "PKG-14",
            Zip::new().good().add("extension/lib", 0o644, "").add(
                "extension/lib/demo.py",
                0o644,
                "",
            ),
            "extension/lib is a file and a folder",
        ),
    ] {
        assert_only(&zip.check_package().await, Fail, id, detail);
    }
}

#[tokio::test]
async fn packages_over_the_limits_fail() {
    let report = Zip::after(10_000_000).good().check_package().await;
    assert_eq!(report.count(Fail), 0, "{report}");
    let expected = "MB, over the limit of a direct upload: 10 MB";
    let shown = detail(&report, "PKG-08");
    assert!(shown.ends_with(expected), "{report}");
    assert_eq!(ids(&report, Warn, "10.0"), ["PKG-08"], "{report}");

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
        let zip = Zip::new().good().link("extension/lib/link", target);
        zip.check_package().await
    };
    let report = with_link("../night_watch.py").await;
    assert_eq!(ids(&report, Fail, ""), [""; 0], "{report}");
    for target in ["../../../outside", "/etc/passwd"] {
        let detail = format!("extension/lib/link (a link to {target})");
        assert_only(&with_link(target).await, Fail, "PKG-12", &detail);
    }
}

/// Returns where the bytes occur.
fn places(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let starts = 0..bytes.len() - text.len();
    starts.filter(|at| bytes[*at..].starts_with(text)).collect()
}

#[tokio::test]
async fn two_files_with_the_same_name_fail() {
    let zip = Zip::new()
        .good()
        .add("extension/notes.one", 0o644, "1")
        .add("extension/notes.two", 0o644, "2");
    // The `zip` crate rejects duplicate names, so a name is changed in the finished file.
    let (old, new) = (b"extension/notes.two", b"extension/notes.one");
    let (_directory, path) = zip.edit(|bytes| {
        let places = places(bytes, old);
        assert_eq!(places.len(), 2);
        for at in places {
            bytes[at..at + new.len()].copy_from_slice(new);
        }
    });
    let report = check_package(&path).await.unwrap();
    assert_only(&report, Fail, "PKG-13", "extension/notes.one");
}

#[tokio::test]
async fn names_are_normalized() {
    let zip = Zip::new()
        .add("./extension//extensionNightWatch.sh", 0o755, SCRIPT)
        .add(".//extension/night_watch.py", 0o644, PYTHON);
    let report = zip.check(&["PKG", "REG"]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    assert_eq!(detail(&report, "PKG-02"), "extensionNightWatch.sh");
    assert!(ids(&report, Pass, "").contains(&"REG-01"), "{report}");

    let zip = Zip::new()
        .good()
        .add("./extension//night_watch.py", 0o644, "");
    let report = zip.check_package().await;
    assert_only(&report, Fail, "PKG-13", "extension/night_watch.py");
}

#[tokio::test]
async fn a_zip_can_contain_several_extensions() {
    let several = || {
        Zip::new()
            .good()
            .add("extension/extensionOther.sh", 0o755, "#!/bin/sh\nexit 3\n")
    };
    let report = several().check(&["PKG", "REG-01"]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    let heading = report.to_string();
    let heading = heading.lines().next().unwrap();
    assert!(heading.starts_with("extensionNightWatch.sh "), "{heading}");
    assert!(
        heading.ends_with("; to test extensionOther.sh instead, use --script"),
        "{heading}"
    );

    let zip = several();
    zip.writer.finish().unwrap();
    let extension = ExtensionUnderTest::zip(&zip.path);
    let other = extension.clone().start_script("extensionOther.sh");
    let report = check(other, &["REG-01"]).await;
    assert_eq!(ids(&report, Fail, ""), ["REG-01"], "{report}");
    let none = Checks::new(extension.start_script("extensionNone.sh"));
    let error = none.run().await.unwrap_err();
    let expected =
        "has no start script `extensionNone.sh`; it has extensionNightWatch.sh, extensionOther.sh";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[tokio::test]
async fn a_script_that_is_a_link_is_judged_by_its_target() {
    let script = "extension/extensionNightWatch.sh";
    let in_bin = SCRIPT.replace("${0%/*}", "${0%/*}/../extension");
    let linked = |mode, text: &str| {
        Zip::new()
            .link(script, "../current/run.sh")
            .link("current", "bin")
            .add("bin/run.sh", mode, text)
            .add("extension/night_watch.py", 0o644, PYTHON)
    };
    let report = linked(0o755, &in_bin).check(&["PKG", "REG-01"]).await;
    let unknown = "extensionNightWatch.sh is a link to ../current/run.sh; it is unknown whether the platform keeps \
                   links";
    assert_only(&report, Warn, "PKG-02", unknown);
    assert!(ids(&report, Pass, "").contains(&"REG-01"), "{report}");

    let report = linked(0o644, &in_bin).check_package().await;
    assert_eq!(ids(&report, Fail, ""), ["PKG-03"], "{report}");
    let report = linked(0o755, "#!/bin/sh\r\n").check_package().await;
    assert_eq!(ids(&report, Fail, ""), ["PKG-04"], "{report}");
    let report = linked(0o755, "exit 0\n").check_package().await;
    assert_eq!(ids(&report, Fail, ""), ["PKG-05"], "{report}");
}

#[tokio::test]
async fn a_script_that_this_machine_cannot_run_is_not_booted() {
    let text = "#!/usr/bin/no-such-shell\n";
    let zip = Zip::new().add("extension/extensionNightWatch.sh", 0o755, text);
    let report = zip.check(&["PKG", "REG-01"]).await;
    let unknown = "it is unknown whether the platform has /usr/bin/no-such-shell, and this machine does not have it";
    assert_only(&report, Warn, "PKG-05", unknown);
    let skipped = "this machine does not have /usr/bin/no-such-shell, which the start script names";
    assert_eq!(detail(&report, "REG-01"), skipped);
}

#[tokio::test]
async fn mode_bits_block_no_other_case() {
    let zip = Zip::new()
        .add("extension/extensionNightWatch.sh", 0o600, SCRIPT)
        .add("extension/night_watch.py", 0o600, PYTHON);
    let report = zip.check(&["PKG-03", "REG-01"]).await;
    let mode = "extension/extensionNightWatch.sh has mode 0600";
    assert_only(&report, Fail, "PKG-03", mode);
    assert_eq!(ids(&report, Pass, ""), ["REG-01"], "{report}");
}

#[tokio::test]
async fn a_script_that_the_system_does_not_execute_is_a_finding() {
    let zip = Zip::new().add("extension/extensionNightWatch.sh", 0o755, b"#!/tmp\n");
    let report = zip.check(&["REG-01"]).await;
    let why = "cannot execute the start script: Permission denied (os error 13)";
    assert_only(&report, Fail, "REG-01", why);
}

#[tokio::test]
async fn files_without_mode_bits_are_a_warning() {
    let mut zip = Zip::new();
    let options = SimpleFileOptions::default().system(System::Dos);
    for (name, text) in [
        ("extensionNightWatch.sh", SCRIPT),
        ("night_watch.py", PYTHON),
    ] {
        let name = format!("extension/{name}");
        zip.writer.start_file(name, options).unwrap();
        zip.writer.write_all(text.as_bytes()).unwrap();
    }
    let report = zip.check(&["PKG", "REG-01"]).await;
    let unknown = "it is unknown whether the platform executes files without mode bits: \
                   extension/extensionNightWatch.sh";
    assert_only(&report, Warn, "PKG-03", unknown);
    assert!(ids(&report, Pass, "").contains(&"REG-01"), "{report}");
}

#[tokio::test]
async fn libraries_that_are_neither_common_nor_in_the_zip_are_a_warning() {
    let needs = |libraries: &[&str]| {
        let elf = elf_with_libraries(libraries);
        Zip::new().good().add("extension/watch", 0o755, elf)
    };
    let common = ["libc.so.6", "libgcc_s.so.1", "libstdc++.so.6"];
    let report = needs(&common).check_package().await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");

    let report = needs(&["libc.so.6", "libssl.so.10"]).check_package().await;
    let unknown = "it is unknown whether the platform has these libraries: extension/watch needs libssl.so.10";
    assert_only(&report, Warn, "PKG-15", unknown);

    let zip = needs(&["libssl.so.10"]).link("extension/lib/libssl.so.10", "libssl.so.1.0.2");
    let report = zip.check_package().await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
}

/// An edit of the bytes of a ZIP.
type Edit = fn(&mut Vec<u8>);

#[tokio::test]
async fn damaged_files_are_a_finding() {
    let central = |bytes: &[u8]| places(bytes, b"PK\x01\x02")[0];
    let damages: [(&str, Edit, &str); 5] = [
        (
            "contents",
            |bytes| {
                let at = places(bytes, b"import ")[0];
                bytes[at] ^= 1;
            },
            "extension/night_watch.py is damaged: its checksum does not match",
        ),
        (
            "encryption",
            |bytes| {
                let at = places(bytes, b"PK\x01\x02")[1];
                bytes[at + 8] |= 1;
            },
            "extension/night_watch.py is encrypted",
        ),
        (
            "method",
            |bytes| {
                let at = places(bytes, b"PK\x01\x02")[1];
                bytes[at + 10] = 14;
            },
            "extension/night_watch.py is compressed with LZMA; expected deflate",
        ),
        (
            "a smaller size than the real one",
            |bytes| {
                let at = places(bytes, b"PK\x01\x02")[1];
                bytes[at + 24..at + 28].copy_from_slice(&10_u32.to_le_bytes());
            },
            "extension/night_watch.py is damaged: its size is not the declared size",
        ),
        (
            "a huge size",
            |bytes| {
                let at = places(bytes, b"PK\x01\x02")[1];
                bytes[at + 24..at + 28].copy_from_slice(&3_000_000_000_u32.to_le_bytes());
            },
            "its files have 3.00 GB unpacked; this check unpacks at most 1.00 GB",
        ),
    ];
    for (name, damage, detail) in damages {
        let (_directory, path) = Zip::new().good().edit(|bytes| {
            assert!(central(bytes) > 0);
            damage(bytes);
        });
        let report = check(ExtensionUnderTest::zip(&path), &["PKG", "REG-01"]).await;
        assert_eq!(ids(&report, Fail, ""), ["PKG-14"], "{name}: {report}");
        assert_eq!(crate::support::detail(&report, "PKG-14"), detail, "{name}");
        let blocked = crate::support::detail(&report, "REG-01");
        assert_eq!(blocked, "blocked by PKG-14", "{name}");
    }
}

#[tokio::test]
async fn a_list_of_files_that_cannot_be_read_blocks_all_other_cases() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("invalid.zip");
    std::fs::write(&path, "not a ZIP").unwrap();
    let report = check(ExtensionUnderTest::zip(&path), &[]).await;
    let detail = "it is not a ZIP: it does not end with a list of files";
    assert_only(&report, Fail, "PKG-14", detail);
    let blocked = ids(&report, Skip, "blocked by PKG-14").len();
    assert_eq!(blocked + 1, report.findings().count(), "{report}");

    let (_directory, path) = Zip::new().good().edit(|bytes| {
        // The number of bytes of the list of files.
        let end = places(bytes, b"PK\x05\x06")[0];
        bytes.drain(end - 10..end);
    });
    let report = check_package(&path).await.unwrap();
    assert_eq!(ids(&report, Fail, ""), ["PKG-14"], "{report}");
}

#[tokio::test]
async fn faults_of_this_machine_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    for (path, message) in [
        (directory.path().join("missing.zip"), "No such file"),
        (directory.path().to_owned(), "it is not a file"),
    ] {
        let error = check_package(&path).await.unwrap_err();
        // `Debug` adds the cause, because a test that returns the error prints it that way.
        let expected = format!("cannot read {}: {message}", path.display());
        assert!(format!("{error:?}").starts_with(&expected), "{error:?}");
    }
}
