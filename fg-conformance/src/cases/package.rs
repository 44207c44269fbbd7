//! PKG: checks of a ZIP or a program that do not run it.

use std::path::Path;

use tempfile::TempDir;

use super::elf_program::{self, ElfProgram};
use super::zip_scripts::ZipScripts;
use super::{CaseId, Group, start_script};
use crate::Error;
use crate::artifact::{
    Archive, ELF_MAGIC, ExaminedZip, FOLDER, MAX_DIRECT_UPLOAD, MAX_FILES,
    MAX_OBJECT_STORAGE_UPLOAD, against_direct_upload_limit,
};
use crate::report::{Finding, Report};
use crate::system::IS_LINUX;

/// The cases that need the contents of the ELF files.
const PROGRAM_CASES: [CaseId; 4] = [CaseId::Pkg03, CaseId::Pkg06, CaseId::Pkg07, CaseId::Pkg15];

/// Records that the list of files cannot be read, which blocks all other cases.
pub(crate) fn record_unreadable_zip(reason: String, report: &mut Report) {
    report.record(CaseId::Pkg14, Finding::fail(reason));
    report.block_matching(CaseId::Pkg14, |case| {
        case.id.group() == Group::Package || case.needs_process()
    });
}

/// Checks all PKG cases on a ZIP. Returns the directory with its contents if the start script can be booted on this machine.
pub(crate) fn check_zip(
    zip: ExaminedZip,
    scripts: &ZipScripts,
    script: Option<&str>,
    report: &mut Report,
) -> Option<TempDir> {
    let archive = &zip.archive;
    check_size(archive.size, report);
    check_files(archive, report);
    report.record(
        CaseId::Pkg12,
        expect_empty(&zip.escaping_paths, "every path stays inside"),
    );
    report.record(
        CaseId::Pkg13,
        expect_empty(&archive.duplicates(), "each file is there once"),
    );
    if archive.has_folder() {
        report.record(CaseId::Pkg01, Finding::pass(FOLDER));
        scripts.check(archive, report);
    } else {
        let mut detail = "the ZIP has no folder `extension` at the top level".to_owned();
        if let Some(instead) = archive.misplaced_folder() {
            detail += &format!("; found {instead}");
        }
        report.record(CaseId::Pkg01, Finding::fail(detail));
    }
    let directory = match zip.unpacked {
        Ok(Some(directory)) => {
            report.record(CaseId::Pkg14, Finding::pass("all files can be read"));
            Some(directory)
        }
        // PKG-12 blocks PKG-14.
        Ok(None) => None,
        Err(reason) => {
            report.record(CaseId::Pkg14, Finding::fail(reason));
            None
        }
    };
    let programs = zip.programs.map(|programs| {
        let programs: Vec<_> = programs.into_iter().map(ElfProgram::from).collect();
        report.record(CaseId::Pkg03, check_modes(scripts, &programs));
        check_elf(&programs, report);
        let names = archive.file_names();
        check_libraries(&programs, |name| names.contains(name), report);
        programs
    });
    if report.is_failed(CaseId::Pkg14) {
        report.block_matching(CaseId::Pkg14, |case| PROGRAM_CASES.contains(&case.id));
    }
    let bootable = bootable(programs.as_deref().unwrap_or_default(), report);
    if let Some(interpreter) = script.and_then(|name| scripts.missing_interpreter(name)) {
        let why = format!("this machine does not have {interpreter}, which the start script names");
        report.skip(|case| case.needs_process(), &why);
        return None;
    }
    directory.filter(|_| bootable == Bootable::Yes)
}

/// Whether the extension can be booted on this machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bootable {
    Yes,
    /// A case blocks it.
    No,
}

/// Checks the PKG cases that do not need a ZIP: the name of the start script, and a compiled program if there is one.
pub(crate) fn check_without_zip(
    script: &str,
    program: Option<&Path>,
    report: &mut Report,
) -> Result<(), Error> {
    report.record(CaseId::Pkg02, start_script::check_name(script));
    let mut programs = Vec::new();
    let mut why = "no ZIP given; use --zip";
    if let Some(path) = program {
        let bytes = std::fs::read(path)
            .map_err(Error::because(format!("cannot read {}", path.display())))?;
        // On another system, the program is built for development, and not for the platform.
        if IS_LINUX || bytes.starts_with(ELF_MAGIC) {
            let name = path.file_name().unwrap_or(path.as_os_str());
            programs.push(ElfProgram::new(&name.to_string_lossy(), &bytes));
            check_elf(&programs, report);
            check_libraries(&programs, |_| false, report);
        }
        why = "no ZIP given; build one with `cargo fg package` and use --zip";
    }
    // PKG-06 blocks these.
    let needs_program = |id| [CaseId::Pkg07, CaseId::Pkg15].contains(&id);
    report.skip(
        |case| {
            case.id.group() == Group::Package && (programs.is_empty() || !needs_program(case.id))
        },
        why,
    );
    bootable(&programs, report);
    Ok(())
}

/// Skips the cases that failures block, and returns whether the extension can be booted.
fn bootable(programs: &[ElfProgram], report: &mut Report) -> Bootable {
    report.block_dependents_of_group(Group::Package);
    let needed = CaseId::Reg01.case().prevented_by;
    if report.first_failed(needed).is_some() {
        Bootable::No
    } else if !programs.is_empty() && !IS_LINUX {
        let why = "booting the packaged program needs Linux";
        report.skip(|case| CaseId::Pkg06.blocks(case.id), why);
        Bootable::No
    } else if programs.iter().all(ElfProgram::matches_this_machine) {
        Bootable::Yes
    } else {
        report.block_dependents(CaseId::Pkg06);
        Bootable::No
    }
}

fn check_size(size: u64, report: &mut Report) {
    let upload = against_direct_upload_limit(size);
    let upload = if size <= MAX_DIRECT_UPLOAD {
        Finding::pass(upload)
    } else {
        Finding::warn(upload)
    };
    report.record(CaseId::Pkg08, upload);
    let bytes = format!("{size} bytes");
    report.record(
        CaseId::Pkg09,
        if size <= MAX_OBJECT_STORAGE_UPLOAD {
            Ok(bytes)
        } else {
            Err(bytes)
        },
    );
}

fn check_files(archive: &Archive, report: &mut Report) {
    let files = archive.files().count();
    let count = format!("{files} files");
    report.record(
        CaseId::Pkg10,
        if files <= MAX_FILES {
            Ok(count)
        } else {
            Err(count)
        },
    );
    let names = archive.files().map(|entry| entry.name.clone());
    let backups: Vec<_> = names.filter(|name| name.ends_with('~')).collect();
    report.record(CaseId::Pkg11, expect_empty(&backups, "none"));
}

/// Checks PKG-03 on the scripts and the programs.
fn check_modes(scripts: &ZipScripts, programs: &[ElfProgram]) -> Finding {
    let programs = programs.iter().filter(|program| program.is_executable());
    let programs = programs.map(|program| (program.name.as_str(), program.mode));
    let all: Vec<_> = scripts.modes().chain(programs).collect();
    let (mut names, mut bad, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (name, mode) in all {
        names.push(name.to_owned());
        match mode {
            Some(mode) if mode & 0o111 != 0 => {}
            Some(mode) => bad.push(format!("{name} has mode {:04o}", mode & 0o7777)),
            // The other cases are tested with mode 0755.
            None => unknown.push(name.to_owned()),
        }
    }
    if names.is_empty() {
        Finding::skip("the ZIP contains no start script and no ELF program")
    } else if !bad.is_empty() {
        Finding::fail(listed(&bad))
    } else if !unknown.is_empty() {
        Finding::warn(format!(
            "it is unknown whether the platform executes files without mode bits: {}",
            listed(&unknown)
        ))
    } else {
        Finding::pass(listed(&names))
    }
}

/// Checks PKG-15. `is_in_zip` returns whether a library is in the ZIP.
fn check_libraries(programs: &[ElfProgram], is_in_zip: impl Fn(&str) -> bool, report: &mut Report) {
    if programs.is_empty() {
        let is_it = |case: &super::Case| case.id == CaseId::Pkg15;
        return report.skip(is_it, "the ZIP contains no ELF program");
    } else if report.is_failed(CaseId::Pkg06) {
        return;
    }
    let mut missing = Vec::new();
    for program in programs {
        let libraries = program.unusual_libraries();
        let libraries = libraries.filter(|library| !is_in_zip(library));
        missing.extend(libraries.map(|library| format!("{} needs {library}", program.name)));
    }
    report.record(
        CaseId::Pkg15,
        if missing.is_empty() {
            Finding::pass("all needed libraries belong to glibc or GCC, or are in the ZIP")
        } else {
            Finding::warn(format!(
                "it is unknown whether the platform has these libraries: {}",
                listed(&missing)
            ))
        },
    );
}

/// Checks PKG-06 and PKG-07.
fn check_elf(programs: &[ElfProgram], report: &mut Report) {
    if programs.is_empty() {
        report.skip(
            |case| [CaseId::Pkg06, CaseId::Pkg07].contains(&case.id),
            "the ZIP contains no ELF program",
        );
        return;
    }
    report.record(
        CaseId::Pkg06,
        elf_program::worst_finding(programs, ElfProgram::check_architecture),
    );
    if !report.is_failed(CaseId::Pkg06) {
        report.record(
            CaseId::Pkg07,
            elf_program::worst_finding(programs, ElfProgram::check_glibc),
        );
    }
}

fn expect_empty(found: &[String], pass_detail: &str) -> Result<String, String> {
    if found.is_empty() {
        Ok(pass_detail.to_owned())
    } else {
        Err(listed(found))
    }
}

/// Lists the first few names, and counts the rest.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| shortened(name))
        .collect();
    let mut text = shown.join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

/// Returns the beginning of a long path.
pub(super) fn shortened(path: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = path.chars().take(SHOWN).collect();
    if shown.len() < path.len() {
        shown.push('…');
    }
    shown
}
