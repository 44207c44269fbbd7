//! PKG: what can be told of a ZIP, or of a program, without running it.

mod archive;
mod elf;
mod script;

use std::path::Path;

use anyhow::Context;

use self::archive::Archive;
use self::elf::Program;
use super::report::{Finding, Report};
use crate::boot::{BootProgram as Kind, BootSpec as Prepared};
use crate::package::{DIRECT, STORED, against_limit};

/// The most that a dependency may have (D, user guide).
const FILES: usize = 30_000;
/// Without these, there is no use in starting it.
const NEEDED: [&str; 7] = [
    "PKG-01", "PKG-02", "PKG-03", "PKG-04", "PKG-05", "PKG-06", "PKG-12",
];

/// All of PKG, of a ZIP; what prevents that it is started here.
pub(super) fn zip(path: &Path, report: &mut Report) -> anyhow::Result<Option<&'static str>> {
    let cannot = || format!("cannot read {} as a ZIP", path.display());
    let mut archive = Archive::open(path).with_context(cannot)?;
    size(archive.size, report);
    names(&mut archive, report).with_context(cannot)?;
    let scripts: Vec<_> = archive.scripts().collect();
    match &scripts[..] {
        _ if !archive.has_folder() => {
            let mut detail = "there is no folder `extension` at the top".to_owned();
            if let Some(instead) = archive.instead_of_folder() {
                detail += &format!(", but {instead}");
            }
            report.tell("PKG-01", Finding::fail(detail));
            report.prevent("PKG-01", &["PKG-02", "PKG-04", "PKG-05"]);
        }
        [name] => {
            report.tell("PKG-01", Finding::pass("extension/"));
            report.tell("PKG-02", script_name(name));
            let text = archive
                .read(&format!("extension/{name}"))
                .with_context(cannot)?;
            report.tell("PKG-04", script::line_feeds(&text));
            report.tell("PKG-05", script::shebang(&text));
        }
        scripts => {
            report.tell("PKG-01", Finding::pass("extension/"));
            let detail = if scripts.is_empty() {
                format!("there is none, but {}", archive.in_folder())
            } else {
                format!("there are several: {}", scripts.join(", "))
            };
            report.tell("PKG-02", Finding::fail(detail));
            report.prevent("PKG-02", &["PKG-04", "PKG-05"]);
        }
    }
    let programs = archive.programs().with_context(cannot)?;
    report.tell("PKG-03", archive.executable(&programs));
    elf(&programs, report);
    Ok(obstacle(&programs, report))
}

/// What there is of PKG without a ZIP; what prevents that it is started here.
pub(super) fn without_zip(
    prepared: &Prepared,
    report: &mut Report,
) -> anyhow::Result<Option<&'static str>> {
    report.tell("PKG-02", script_name(&prepared.script_name));
    let mut programs = Vec::new();
    match &prepared.program {
        Kind::Built(built) => {
            let cannot = || format!("cannot read {}", built.path.display());
            let bytes = std::fs::read(&built.path).with_context(cannot)?;
            programs.push(Program::new(&built.name, &bytes));
            elf(&programs, report);
            report.skip(&["PKG-"], "no ZIP: `cargo fg package` makes one for --zip");
        }
        _ => report.skip(&["PKG-"], "no ZIP: use --zip"),
    }
    Ok(obstacle(&programs, report))
}

fn obstacle(programs: &[Program], report: &Report) -> Option<&'static str> {
    let is_foreign = !programs.iter().all(Program::runs_here);
    report.failed(&NEEDED).or(is_foreign.then_some("PKG-06"))
}

fn size(size: u64, report: &mut Report) {
    let upload = against_limit(size);
    let upload = if size <= DIRECT {
        Finding::pass(upload)
    } else {
        Finding::warn(upload)
    };
    report.tell("PKG-08", upload);
    let bytes = format!("{size} bytes");
    let storage = if size <= STORED {
        Ok(bytes)
    } else {
        Err(bytes)
    };
    report.tell("PKG-09", storage);
}

fn names(archive: &mut Archive, report: &mut Report) -> anyhow::Result<()> {
    let files = archive.files().count();
    let count = format!("{files} files");
    report.tell(
        "PKG-10",
        if files <= FILES {
            Ok(count)
        } else {
            Err(count)
        },
    );
    let found = |found: Vec<String>, none: &str| {
        if found.is_empty() {
            Ok(none.to_owned())
        } else {
            Err(listed(&found))
        }
    };
    let backups = archive.files().filter(|name| name.ends_with('~'));
    let backups = backups.map(str::to_owned).collect();
    report.tell("PKG-11", found(backups, "none"));
    report.tell("PKG-12", found(archive.outside()?, "all are inside"));
    report.tell("PKG-13", found(archive.twice(), "each once"));
    Ok(())
}

fn script_name(name: &str) -> Result<String, String> {
    let is_good = name.starts_with("extension")
        && name.ends_with(".sh")
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !name.contains('/');
    if is_good {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is no script name"))
    }
}

/// PKG-06 and 07.
fn elf(programs: &[Program], report: &mut Report) {
    if programs.is_empty() {
        report.skip(&["PKG-06", "PKG-07"], "there is no ELF program in it");
        return;
    }
    report.tell("PKG-06", elf::worst(programs, Program::architecture));
    if report.failed(&["PKG-06"]).is_some() {
        report.prevent("PKG-06", &["PKG-07"]);
    }
    report.tell("PKG-07", elf::worst(programs, Program::needs));
}

/// The first few, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
