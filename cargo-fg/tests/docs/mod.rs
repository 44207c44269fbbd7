//! The documentation: every program compiles, every command runs, every link leads somewhere, and every table is complete.
//!
//! An HTML comment in the line before a code block says how the block is tested:
//!
//! - `<!-- from PATH -->`: the block is an excerpt of that file. A line `…`, `// …` or `# …` stands for omitted lines.
//! - `<!-- not run: REASON -->`: the commands of a console block are not run.
//! - `<!-- exit status: 1 -->`: the last command of a console block has this exit status instead of 0.
//! - `<!-- with: cargo fg dev … -->`: this command runs in the background while the commands of a console block run. It must
//!   invoke the function once by itself.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a panic is the way to report an error"
)]

mod blocks;
mod conformance_cases;
mod console;
mod excerpts;
mod figures;
mod links;
mod log_lines;
mod options;
mod output;
mod page;
mod tables;
mod translations;

use std::fs;
use std::path::{Path, PathBuf};

use self::page::Page;
use crate::repository_root as root;

/// Reads a file, given its path relative to the root of the repository.
fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Returns all pages whose blocks are tested: the README files and the book.
fn pages() -> Vec<Page> {
    let mut paths = ["README.md", "README.zh-CN.md"].map(PathBuf::from).to_vec();
    for package in fs::read_dir(root()).unwrap() {
        let readme = PathBuf::from(package.unwrap().file_name()).join("README.md");
        if root().join(&readme).is_file() {
            paths.push(readme);
        }
    }
    paths.extend(files("docs", "md"));
    paths.sort();
    paths.into_iter().map(Page::read).collect()
}

/// Returns the pages whose links are tested, but not their blocks.
fn other_pages() -> Vec<Page> {
    let names = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    names.map(Page::read).into()
}

/// Returns the paths, relative to the root, of all files with this extension in a directory and its subdirectories.
fn files(directory: impl AsRef<Path>, extension: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root().join(&directory)).unwrap() {
        let path = directory.as_ref().join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            paths.extend(files(&path, extension));
        } else if path.extension().is_some_and(|actual| actual == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// Fails with one line per problem, such as `FILE:LINE: cause; what to do`.
#[track_caller]
fn assert_none(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(
        problems.is_empty(),
        "problems in the documentation:\n{}",
        problems.join("\n")
    );
}

/// Asserts that there is one problem, at this place and with a message that contains the given text.
#[track_caller]
fn assert_one(problems: &[String], place: &str, message: &str) {
    let is_expected = |problem: &String| problem.starts_with(place) && problem.contains(message);
    assert!(
        problems.len() == 1 && problems.iter().all(is_expected),
        "expected one problem, {place} {message}: {problems:?}"
    );
}
