//! The documentation: every program compiles, every command runs, every link leads somewhere, and every table is complete.
//!
//! An HTML comment in the line before a code block says how the block is tested:
//!
//! - `<!-- from PATH -->`: the block is an excerpt of that file. A line `…`, `// …` or `# …` stands for omitted lines.
//! - `<!-- not run: REASON -->`: the commands of a console block are not run.
//! - `<!-- exit status: 1 -->`: the last command of a console block has this exit status, and not 0.
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
mod links;
mod options;
mod output;
mod page;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use self::page::Page;

/// Returns the root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

/// Returns all pages whose blocks are tested: the README files and the book.
fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    for package in fs::read_dir(root()).unwrap() {
        let readme = PathBuf::from(package.unwrap().file_name()).join("README.md");
        if root().join(&readme).is_file() {
            paths.push(readme);
        }
    }
    paths.extend(files("docs", "md"));
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// Returns the pages of which only the links are tested.
fn other_pages() -> Vec<Page> {
    let names = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    names.map(|name| Page::read(Path::new(name))).into()
}

/// Returns the paths, relative to the root, of all files in a directory and in the directories inside it.
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

/// Fails with one line per problem, `FILE:LINE: what is wrong; what to do`.
fn assert_none(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "problems in the documentation:\n{}",
        problems.join("\n")
    );
}
