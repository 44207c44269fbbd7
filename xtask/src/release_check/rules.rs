//! What must be true before a version is published. Each rule returns the problems that it finds, as lines to print.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::workspace::{has_library, published};

/// What the rules look at.
pub(super) struct Facts {
    /// The version to publish.
    pub(super) version: String,
    /// The output of `cargo metadata`.
    pub(super) metadata: Value,
    /// Whether git has the tag of the version.
    pub(super) has_tag: bool,
    /// The lines of `git status --porcelain`.
    pub(super) changed: Vec<String>,
    /// The documents and the public APIs that are committed: their paths in the repository, and their texts.
    pub(super) files: Vec<(PathBuf, String)>,
}

/// A rule, and the function that checks it.
type Rule = (&'static str, fn(&Facts) -> Vec<String>);

/// All rules that are quick to check.
pub(super) const RULES: [Rule; 9] = [
    ("everything is committed", uncommitted),
    ("the version has no tag yet", tag),
    ("all published crates have the same version", versions),
    (
        "the crates depend on each other in this version",
        dependencies,
    ),
    ("each published crate names the repository", repository),
    ("cargo binstall finds the archives of cargo-fg", binstall),
    ("the changelogs have the version and its date", changelogs),
    ("the documents do not say that it is unreleased", status),
    ("the public API of each library is pinned", public_apis),
];

/// The macro and the runtime use private items of each other.
const MACROS: &str = "fg-extension-macros";

/// What documents say until the first version is published.
const UNRELEASED: [&str; 6] = [
    "unreleased",
    "released yet",
    "when it is published",
    "until fg-extension is published",
    "not yet published",
    "尚未发布",
];

/// What may stay: the heading of the next version in the changelog, and its name in the instructions for a release.
const UNRELEASED_HEADINGS: [&str; 3] = ["## unreleased", "\"unreleased\"", "## [unreleased]"];

fn uncommitted(facts: &Facts) -> Vec<String> {
    facts
        .changed
        .iter()
        .map(|line| format!("commit or remove it: {line}"))
        .collect()
}

fn tag(facts: &Facts) -> Vec<String> {
    let version = &facts.version;
    let problem = format!("git has the tag v{version}: raise `version` in Cargo.toml");
    facts.has_tag.then_some(problem).into_iter().collect()
}

fn versions(facts: &Facts) -> Vec<String> {
    let wanted = &facts.version;
    published(&facts.metadata)
        .into_iter()
        .filter(|package| package["version"] != wanted.as_str())
        .map(|package| {
            let version = text(&package["version"]);
            format!("{} has version {version}, not {wanted}", name(package))
        })
        .collect()
}

fn dependencies(facts: &Facts) -> Vec<String> {
    let packages = published(&facts.metadata);
    let names: Vec<_> = packages.iter().map(|package| name(package)).collect();
    let compatible = format!("^{}", facts.version);
    let exact = format!("={}", facts.version);
    let mut problems = Vec::new();
    for package in &packages {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // cargo drops development dependencies without a version from the package.
            let is_local = dependency["kind"] == "dev" && dependency["req"] == "*";
            if !names.contains(&name(dependency)) || is_local {
                continue;
            }
            let requirement = text(&dependency["req"]);
            let is_exact = requirement == exact;
            if !is_exact && (requirement != compatible || name(dependency) == MACROS) {
                problems.push(format!(
                    "{} depends on {} {requirement}, not {}",
                    name(package),
                    name(dependency),
                    if name(dependency) == MACROS {
                        &exact
                    } else {
                        &compatible
                    }
                ));
            }
        }
    }
    problems
}

fn repository(facts: &Facts) -> Vec<String> {
    let is_missing = |package: &&Value| !text(&package["repository"]).starts_with("https://");
    let packages = published(&facts.metadata);
    let missing: Vec<_> = packages.into_iter().filter(is_missing).map(name).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "`repository` is missing in {}: set the address of the repository in [workspace.package] of Cargo.toml, and \
         `repository.workspace = true` in each crate",
        missing.join(", ")
    )]
}

fn binstall(facts: &Facts) -> Vec<String> {
    let packages = published(&facts.metadata);
    let command = packages.iter().find(|package| name(package) == "cargo-fg");
    let url = command.map_or("", |package| {
        text(&package["metadata"]["binstall"]["pkg-url"])
    });
    if url.starts_with("{ repo }/") {
        return Vec::new();
    }
    vec![format!(
        "`pkg-url` in [package.metadata.binstall] of cargo-fg is {url:?}: it must start with {{ repo }}/, which is `repository`"
    )]
}

fn changelogs(facts: &Facts) -> Vec<String> {
    let is_changelog = |path: &Path| path.file_name().is_some_and(|it| it == "CHANGELOG.md");
    let changelogs = facts.files.iter().filter(|(path, _)| is_changelog(path));
    let mut problems = Vec::new();
    let mut count = 0;
    for (path, text) in changelogs {
        count += 1;
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        let mut of_version = headings.filter(|heading| {
            let words = heading.split([' ', '[', ']']);
            words.into_iter().any(|word| word == facts.version)
        });
        if !of_version.any(has_date) {
            problems.push(format!(
                "{} has no heading such as `## {} (2026-12-31)`: rename \"Unreleased\" to it",
                path.display(),
                facts.version
            ));
        }
    }
    if count == 0 {
        problems.push("CHANGELOG.md is missing".to_owned());
    }
    problems
}

/// Returns whether a heading contains a date, such as 2026-12-31.
fn has_date(heading: &str) -> bool {
    let mut words = heading.split(|c: char| !c.is_ascii_digit() && c != '-');
    words.any(|word| {
        let parts: Vec<_> = word.split('-').map(str::len).collect();
        parts == [4, 2, 2]
    })
}

fn status(facts: &Facts) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in &facts.files {
        // Decisions are a record of what was true when they were made.
        if path.ends_with("docs/decisions.md") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let mut lower = line.to_lowercase();
            for heading in UNRELEASED_HEADINGS {
                lower = lower.replace(heading, "");
            }
            if UNRELEASED.iter().any(|phrase| lower.contains(phrase)) {
                let line = line.trim_start_matches(['>', ' ']);
                let place = format!("{}:{}", path.display(), number + 1);
                problems.push(format!("{place} says: {line}"));
            }
        }
    }
    problems
}

fn public_apis(facts: &Facts) -> Vec<String> {
    let packages = published(&facts.metadata);
    let mut problems = Vec::new();
    for package in packages.into_iter().filter(|it| has_library(it)) {
        let manifest = Path::new(text(&package["manifest_path"]));
        let root = text(&facts.metadata["workspace_root"]);
        let file = manifest.strip_prefix(root).unwrap_or(manifest);
        let file = file.with_file_name("public-api.txt");
        if !facts.files.iter().any(|(path, _)| *path == file) {
            problems.push(format!(
                "{} is not committed: run `cargo xtask public-api --update`",
                file.display()
            ));
        }
    }
    problems
}

fn name(package: &Value) -> &str {
    text(&package["name"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::{Facts, RULES};

    /// Returns facts with which every rule is fulfilled.
    fn ready() -> Facts {
        let package = |name: &str, kind: &str, dependencies: Value| {
            json!({
                "name": name,
                "version": "1.2.3",
                "publish": null,
                "repository": "https://example.com/fg",
                "manifest_path": format!("/fg/{name}/Cargo.toml"),
                "targets": [{"kind": [kind]}],
                "dependencies": dependencies,
                "metadata": {"binstall": {"pkg-url": "{ repo }/releases/download/v{ version }/a.tgz"}},
            })
        };
        let depends =
            |name: &str, requirement: &str| json!({"name": name, "req": requirement, "kind": null});
        let metadata = json!({"workspace_root": "/fg", "packages": [
            package("fg-extension-macros", "proc-macro", json!([depends("syn", "^3.0")])),
            package("fg-extension", "lib", json!([
                depends("fg-extension-macros", "=1.2.3"),
                {"name": "cargo-fg", "req": "*", "kind": "dev"},
            ])),
            package("cargo-fg", "bin", json!([depends("fg-extension", "^1.2.3")])),
            {"name": "xtask", "version": "0.0.0", "publish": [], "targets": [], "dependencies": []},
        ]});
        let files = [
            (
                "CHANGELOG.md",
                "# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-12-31)\n",
            ),
            ("fg-extension/CHANGELOG.md", "## [1.2.3] - 2026-12-31\n"),
            (
                "README.md",
                "> **Status:** It has not met the real platform.\n",
            ),
            ("docs/decisions.md", "It is not yet published.\n"),
            ("fg-extension/public-api.txt", ""),
        ];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        Facts {
            version: "1.2.3".to_owned(),
            metadata,
            has_tag: false,
            changed: Vec::new(),
            files: files.into(),
        }
    }

    /// Returns all problems.
    fn problems(facts: &Facts) -> Vec<String> {
        RULES.iter().flat_map(|(_, check)| check(facts)).collect()
    }

    #[test]
    fn release_is_ready() {
        assert_eq!(problems(&ready()), [""; 0]);
    }

    #[test]
    fn each_mistake_is_one_problem() {
        type Mistake = fn(&mut Facts);
        let cases: [(Mistake, &str); 15] = [
            (
                |facts| facts.changed.push("?? notes.txt".to_owned()),
                "commit or remove it: ?? notes.txt",
            ),
            (
                |facts| facts.has_tag = true,
                "git has the tag v1.2.3: raise `version` in Cargo.toml",
            ),
            (
                |facts| facts.metadata["packages"][2]["version"] = json!("1.2.4"),
                "cargo-fg has version 1.2.4, not 1.2.3",
            ),
            (
                |facts| facts.metadata["packages"][1]["dependencies"][0]["req"] = json!("^1.2.3"),
                "fg-extension depends on fg-extension-macros ^1.2.3, not =1.2.3",
            ),
            (
                |facts| facts.metadata["packages"][2]["dependencies"][0]["req"] = json!("^1.2.0"),
                "cargo-fg depends on fg-extension ^1.2.0, not ^1.2.3",
            ),
            (
                |facts| {
                    for package in [0, 1] {
                        facts.metadata["packages"][package]["repository"] = Value::Null;
                    }
                },
                "`repository` is missing in fg-extension, fg-extension-macros: set the address of the repository in \
                 [workspace.package] of Cargo.toml, and `repository.workspace = true` in each crate",
            ),
            (
                |facts| facts.metadata["packages"][2]["metadata"] = Value::Null,
                "`pkg-url` in [package.metadata.binstall] of cargo-fg is \"\": it must start with { repo }/, which is `repository`",
            ),
            (
                |facts| facts.files[0].1 = "## Unreleased\n\n## 1.2.30 (2026-12-31)\n".to_owned(),
                "CHANGELOG.md has no heading such as `## 1.2.3 (2026-12-31)`: rename \"Unreleased\" to it",
            ),
            (
                |facts| facts.files[1].1 = "## 1.2.3 (soon)\n".to_owned(),
                "fg-extension/CHANGELOG.md has no heading such as `## 1.2.3 (2026-12-31)`: rename \"Unreleased\" to it",
            ),
            (
                |facts| facts.files.drain(..2).for_each(drop),
                "CHANGELOG.md is missing",
            ),
            (
                |facts| facts.files[2].1 = "# A\n> **Status:** unreleased. A\n".to_owned(),
                "README.md:2 says: **Status:** unreleased. A",
            ),
            (
                |facts| facts.files[2].1 = "Status: unreleased; not yet run.\n".to_owned(),
                "README.md:1 says: Status: unreleased; not yet run.",
            ),
            (
                |facts| facts.files[2].1 = "Version 1.2.3 is not released yet.\n".to_owned(),
                "README.md:1 says: Version 1.2.3 is not released yet.",
            ),
            (
                |facts| facts.files[2].1 = "本项目尚未发布\n".to_owned(),
                "README.md:1 says: 本项目尚未发布",
            ),
            (
                |facts| facts.files.truncate(4),
                "fg-extension/public-api.txt is not committed: run `cargo xtask public-api --update`",
            ),
        ];
        for (mistake, problem) in cases {
            let mut facts = ready();
            mistake(&mut facts);
            assert_eq!(problems(&facts), [problem]);
        }
    }
}
