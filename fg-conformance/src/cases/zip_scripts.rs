//! [`ZipScripts`]: the start scripts of a ZIP, for PKG-02 to PKG-05.

use super::package::{listed, shortened};
use super::{CaseId, start_script};
use crate::artifact::{Archive, FOLDER, MAX_ALL_SCRIPTS_BYTES, Resolved, missing_interpreter};
use crate::report::{Finding, Outcome, Report};

/// The start scripts of a ZIP, in alphabetical order.
pub(crate) struct ZipScripts(Vec<ZipScript>);

struct ZipScript {
    name: String,
    /// The name and the folder.
    path: String,
    /// The target, if the script is a link.
    link: Option<String>,
    file: ScriptFile,
}

/// The file behind a script, after all links.
enum ScriptFile {
    Text {
        text: Vec<u8>,
        mode: Option<u32>,
    },
    /// PKG-02 fails for this reason.
    NoFile(String),
    /// The scripts before it are so large that it was not read.
    NotRead,
    /// This case fails because the file cannot be read.
    BlockedBy(CaseId),
}

impl ZipScripts {
    /// Reads the scripts. This blocks.
    pub(crate) fn read(archive: &Archive) -> Self {
        let mut bytes = 0;
        let scripts = archive.script_names().into_iter().map(|name| {
            let script = ZipScript::read(archive, name, bytes < MAX_ALL_SCRIPTS_BYTES);
            if let ScriptFile::Text { text, .. } = &script.file {
                bytes += text.len();
            }
            script
        });
        Self(scripts.collect())
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|script| script.name.clone()).collect()
    }

    /// Checks PKG-02, PKG-04 and PKG-05 on all scripts.
    pub(super) fn check(&self, archive: &Archive, report: &mut Report) {
        report.record(CaseId::Pkg02, self.check_files(archive));
        for (id, check) in [
            (
                CaseId::Pkg04,
                (|text| start_script::check_line_endings(text).into()) as fn(&[u8]) -> Finding,
            ),
            (CaseId::Pkg05, start_script::check_shebang),
        ] {
            if let Some(finding) = self.worst_finding(check) {
                report.record(id, finding);
            }
        }
        for script in &self.0 {
            if let ScriptFile::BlockedBy(blocker) = script.file {
                let text_cases = [CaseId::Pkg04, CaseId::Pkg05];
                report.block_matching(blocker, |case| text_cases.contains(&case.id));
            }
        }
    }

    /// Iterates over the paths and the modes of the scripts.
    pub(super) fn modes(&self) -> impl Iterator<Item = (&str, Option<u32>)> {
        self.0.iter().filter_map(|script| match &script.file {
            ScriptFile::Text { mode, .. } => Some((script.path.as_str(), *mode)),
            _ => None,
        })
    }

    /// Returns the interpreter of a script if this machine does not have it.
    pub(super) fn missing_interpreter(&self, name: &str) -> Option<String> {
        let script = self.0.iter().find(|script| script.name == name)?;
        match &script.file {
            ScriptFile::Text { text, .. } => missing_interpreter(text),
            _ => None,
        }
    }

    /// Checks PKG-02.
    fn check_files(&self, archive: &Archive) -> Finding {
        if self.0.is_empty() {
            return Finding::fail(format!("no start script; {}", other_files(archive)));
        }
        let missing = self.0.iter().find_map(|script| match &script.file {
            ScriptFile::NoFile(why) => Some(format!("{} {why}", script.name)),
            _ => None,
        });
        if let Some(missing) = missing {
            return Finding::fail(missing);
        }
        let link = self.0.iter().find_map(|script| {
            let target = script.link.as_ref().filter(|target| !target.is_empty())?;
            Some(format!(
                "{} is a link to {}",
                script.name,
                shortened(target)
            ))
        });
        if let Some(link) = link {
            return Finding::warn(format!(
                "{link}; it is unknown whether the platform keeps links"
            ));
        }
        Finding::pass(listed(&self.names()))
    }

    /// Returns the worst finding about the text of a script, or `None` if no text can be read.
    fn worst_finding(&self, check: fn(&[u8]) -> Finding) -> Option<Finding> {
        let findings = self.0.iter().filter_map(|script| {
            let ScriptFile::Text { text, .. } = &script.file else {
                return None;
            };
            let mut finding = check(text);
            if self.0.len() > 1 && finding.outcome != Outcome::Pass {
                finding.detail = format!("{}: {}", script.name, finding.detail);
            }
            Some(finding)
        });
        let findings: Vec<_> = findings.collect();
        // Of several equally bad findings, the first one counts.
        findings.into_iter().rev().max_by_key(Finding::severity)
    }
}

impl ZipScript {
    fn read(archive: &Archive, name: String, reads_text: bool) -> Self {
        let path = format!("{FOLDER}{name}");
        let link = archive.target(&path).map(str::to_owned);
        let target = shortened(link.as_deref().unwrap_or_default());
        let file = match archive.resolve(&path) {
            _ if link.as_deref() == Some("") => ScriptFile::BlockedBy(CaseId::Pkg14),
            Resolved::Folder => {
                ScriptFile::NoFile(format!("is a link to {target}, which is a folder"))
            }
            Resolved::File(_) if !reads_text => ScriptFile::NotRead,
            Resolved::File(entry) => match archive.read_script(entry) {
                Ok(text) => ScriptFile::Text {
                    text,
                    mode: entry.mode,
                },
                Err(_) => ScriptFile::BlockedBy(CaseId::Pkg14),
            },
            Resolved::Missing(missing) => ScriptFile::NoFile(format!(
                "is a link to {target}, but the ZIP does not contain {}",
                shortened(&missing)
            )),
            Resolved::Loop => {
                ScriptFile::NoFile(format!("is a link to {target}, which leads to no file"))
            }
            Resolved::Outside => ScriptFile::BlockedBy(CaseId::Pkg12),
        };
        Self {
            name,
            path,
            link,
            file,
        }
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
