//! `cargo xtask release-check`: checks that everything is ready to publish, and prints the steps that remain.

mod publish_order;
mod rules;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use self::publish_order::publish_order;
use self::rules::{Facts, RULES};
use crate::run::{command, output, root};
use crate::workspace::metadata;
use crate::{packages, public_api};

/// Checks everything, the slow checks last, and prints one line for each rule.
///
/// # Errors
///
/// Returns an error if something is not ready, after it has been printed.
pub(crate) fn check() -> anyhow::Result<()> {
    let facts = gather()?;
    let version = &facts.version;
    let mut problems = 0;
    for (rule, check) in RULES {
        let found = check(&facts);
        let result = if found.is_empty() { "ok" } else { "FAILED" };
        println!("{result:>8}  {rule}");
        for problem in &found {
            println!("          - {problem}");
        }
        problems += found.len();
    }
    if problems > 0 {
        bail!(
            "{version} is not ready to be published; the public API and the packages were not checked yet, which takes minutes"
        );
    }
    if !public_api::compare()? {
        bail!("{version} is not ready to be published: the public API must be compared");
    }
    println!("{:>8}  the public API is the one in public-api.txt", "ok");
    packages::compile()?;
    println!("{:>8}  the crates compile from their packages", "ok");
    print!("{}", remaining_steps(&facts));
    Ok(())
}

/// Returns the steps that a person does after all checks have passed.
fn remaining_steps(facts: &Facts) -> String {
    let version = &facts.version;
    let order = publish_order(&facts.metadata).join(", ");
    format!(
        "
Everything that can be checked here is ready. What remains, in this order:
1. Check that CI passed on this commit, `.ci/full` too.
2. git tag --annotate v{version} --message {version} && git push origin v{version}
   The tag starts .github/workflows/release.yml, which builds the archives of cargo-fg, and attaches them to a draft of a release.
3. cargo publish --workspace --locked
   It publishes {order}. If it is interrupted, publish the others one by one with `cargo publish -p NAME`, in this order.
4. Publish the draft of the release. Then try `cargo binstall cargo-fg` and the quick start of the README on another machine.
5. For the first release: enable private vulnerability reporting in the settings of the repository, which SECURITY.md relies on.
6. Add a section \"Unreleased\" to the changelog, and raise the version.
"
    )
}

fn gather() -> anyhow::Result<Facts> {
    let metadata = metadata()?;
    let version = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "fg-extension");
    let version = version
        .and_then(|package| package["version"].as_str())
        .context("cargo metadata has no package fg-extension")?
        .to_owned();
    let tag = format!("v{version}");
    let has_tag = !output(command("git")?.args(["tag", "--list", &tag]))?.is_empty();
    let changed = output(command("git")?.args(["status", "--porcelain"]))?;
    let listed = output(command("git")?.args(["ls-files", "*.md", "*/public-api.txt"]))?;
    let mut files = Vec::new();
    for path in listed.lines() {
        // The crates have links to the one changelog.
        if root()?.join(path).is_symlink() {
            continue;
        }
        let text = fs::read_to_string(root()?.join(path));
        let text = text.with_context(|| format!("cannot read {path}"))?;
        files.push((PathBuf::from(path), text));
    }
    Ok(Facts {
        version,
        metadata,
        has_tag,
        changed: changed.lines().map(str::to_owned).collect(),
        files,
    })
}
