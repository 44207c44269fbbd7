//! PKG: checks of a ZIP or a program that do not run it.

use std::path::Path;

use super::elf_program::{self, ElfProgram};
use super::start_script;
use super::{CaseId, Group};
use crate::Error;
use crate::artifact::{
    Archive, FOLDER, MAX_DIRECT_UPLOAD, MAX_FILES, MAX_OBJECT_STORAGE_UPLOAD,
    against_direct_upload_limit,
};
use crate::report::{Finding, Report};

/// Whether the extension can be booted on this machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bootable {
    Yes,
    /// A case blocks it.
    No,
}

/// Checks all PKG cases on a ZIP.
pub(crate) fn check_zip(path: &Path, report: &mut Report) -> Result<Bootable, Error> {
    let cannot = || Error::because(format!("cannot read {} as a ZIP", path.display()));
    let mut archive = Archive::open(path).map_err(cannot())?;
    check_size(archive.size, report);
    check_files(&archive, report);
    let escaping = archive.escaping_paths().map_err(cannot())?;
    report.record(
        CaseId::Pkg12,
        expect_empty(&escaping, "every path stays inside"),
    );
    report.record(
        CaseId::Pkg13,
        expect_empty(&archive.duplicates(), "each file is there once"),
    );
    let scripts: Vec<_> = archive.scripts().collect();
    match &scripts[..] {
        _ if !archive.has_folder() => {
            let mut detail = "there is no folder `extension` at the top level".to_owned();
            if let Some(instead) = archive.misplaced_folder() {
                detail += &format!("; found {instead}");
            }
            report.record(CaseId::Pkg01, Finding::fail(detail));
        }
        [name] => {
            report.record(CaseId::Pkg01, Finding::pass(FOLDER));
            report.record(CaseId::Pkg02, start_script::check_name(name));
            let text = archive.read_script(&format!("{FOLDER}{name}"));
            let text = text.map_err(cannot())?;
            report.record(CaseId::Pkg04, start_script::check_line_endings(&text));
            report.record(CaseId::Pkg05, start_script::check_shebang(&text));
        }
        scripts => {
            report.record(CaseId::Pkg01, Finding::pass(FOLDER));
            let detail = if scripts.is_empty() {
                format!("no start script; {}", other_files(&archive))
            } else {
                format!("several start scripts: {}", scripts.join(", "))
            };
            report.record(CaseId::Pkg02, Finding::fail(detail));
        }
    }
    let mut programs = Vec::new();
    let read = archive.read_elf_files(|name, bytes| programs.push(ElfProgram::new(name, bytes)));
    read.map_err(cannot())?;
    report.record(
        CaseId::Pkg03,
        check_modes(&mut archive, &scripts, &programs),
    );
    check_elf(&programs, report);
    Ok(bootable(&programs, report))
}

/// Checks the PKG cases that do not need a ZIP: the name of the start script, and a compiled program if there is one.
pub(crate) fn check_without_zip(
    script: &str,
    program: Option<&Path>,
    report: &mut Report,
) -> Result<Bootable, Error> {
    report.record(CaseId::Pkg02, start_script::check_name(script));
    let mut programs = Vec::new();
    let mut why = "no ZIP given; use --zip";
    if let Some(path) = program {
        let bytes = std::fs::read(path)
            .map_err(Error::because(format!("cannot read {}", path.display())))?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        programs.push(ElfProgram::new(&name.to_string_lossy(), &bytes));
        check_elf(&programs, report);
        why = "no ZIP given; build one with `cargo fg package` and use --zip";
    }
    let needs_zip = |id| programs.is_empty() || id != CaseId::Pkg07;
    report.skip(
        |case| case.id.group() == Group::Package && needs_zip(case.id),
        why,
    );
    Ok(bootable(&programs, report))
}

/// Skips the cases that failures block, and returns whether the extension can be booted.
fn bootable(programs: &[ElfProgram], report: &mut Report) -> Bootable {
    report.block_dependents_of_group(Group::Package);
    let needed = CaseId::Reg01.case().prevented_by;
    if report.first_failed(needed).is_some() {
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
    let backups = archive.files().filter(|name| name.ends_with('~'));
    let backups: Vec<_> = backups.map(str::to_owned).collect();
    report.record(CaseId::Pkg11, expect_empty(&backups, "none"));
}

/// Checks PKG-03 on the scripts and the programs.
fn check_modes(archive: &mut Archive, scripts: &[String], programs: &[ElfProgram]) -> Finding {
    let scripts = scripts.iter().map(|name| format!("{FOLDER}{name}"));
    let programs = programs.iter().filter(|program| program.is_executable());
    let all: Vec<_> = scripts
        .chain(programs.map(|program| program.name.clone()))
        .collect();
    let (mut bad, mut unknown) = (Vec::new(), Vec::new());
    for name in &all {
        match archive.mode(name) {
            Some(mode) if mode & 0o111 != 0 => {}
            Some(mode) => bad.push(format!("{name} has mode {:04o}", mode & 0o7777)),
            // The other cases are tested with mode 0755.
            None => unknown.push(name.clone()),
        }
    }
    if all.is_empty() {
        Finding::skip("the ZIP contains no start script and no ELF program")
    } else if !bad.is_empty() {
        Finding::fail(listed(&bad))
    } else if !unknown.is_empty() {
        Finding::warn(format!(
            "it is unknown whether the platform executes files without mode bits: {}",
            listed(&unknown)
        ))
    } else {
        Finding::pass(listed(&all))
    }
}

/// Checks PKG-06 and PKG-07.
fn check_elf(programs: &[ElfProgram], report: &mut Report) {
    if programs.is_empty() {
        report.skip(
            |case| [CaseId::Pkg06, CaseId::Pkg07].contains(&case.id),
            "there is no ELF program",
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

/// Describes what the folder contains instead of a start script.
fn other_files(archive: &Archive) -> String {
    let names: Vec<_> = archive.files_in_folder().map(str::to_owned).collect();
    if names.is_empty() {
        "the folder has no files".to_owned()
    } else {
        format!("the folder contains {}", listed(&names))
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
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
