//! Links lead to files and headings that exist, and the lists of pages and examples are complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::page::{Link, Page};
use super::{assert_none, assert_one, files, other_pages, pages, root};

#[test]
fn link_targets_exist() {
    let pages = pages().into_iter().chain(other_pages());
    assert_none(pages.flat_map(|page| problems(&page)));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = Page::read("docs/SUMMARY.md");
    let listed: BTreeSet<_> = summary
        .links
        .iter()
        .map(|link| Path::new("docs").join(&link.target))
        .collect();
    let mut files = files("docs", "md");
    files.retain(|path| *path != summary.path && !listed.contains(path));
    assert!(files.is_empty(), "docs/SUMMARY.md does not list {files:?}");
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = Page::read("README.md");
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        let directory = format!("examples/{name}");
        assert!(
            readme
                .links
                .iter()
                .any(|link| link.target.starts_with(&directory)),
            "README.md has no link to {directory}"
        );
    }
}

/// A registry shows the README of a crate without the files around it. The changelog is in each package, too.
#[test]
fn readmes_and_changelog_of_crates_have_no_relative_links() {
    let is_of_crate = |page: &Page| {
        let manifest = root().join(page.path.with_file_name("Cargo.toml"));
        page.path.components().count() > 1 && manifest.is_file()
    };
    let mut packaged: Vec<_> = pages().into_iter().filter(is_of_crate).collect();
    assert!(packaged.len() >= 9, "{}", packaged.len());
    packaged.push(Page::read("CHANGELOG.md"));
    let relative = |page: &Page| -> Vec<_> {
        let links = page.links.iter().filter(|it| !it.target.contains("://"));
        links
            .map(|it| {
                page.problem(
                    it.line,
                    "a relative link: write https://docs.rs/…, or the path as text",
                )
            })
            .collect()
    };
    assert_none(packaged.iter().flat_map(relative));

    // What they name as text exists.
    let missing = |page: &Page| -> Vec<_> {
        let words = page.text.split('`').skip(1).step_by(2);
        let paths = words.filter(|it| it.starts_with("docs/") && !root().join(it).exists());
        paths
            .map(|it| page.problem(0, format!("{it} does not exist")))
            .collect()
    };
    assert_none(packaged.iter().flat_map(missing));
}

fn problems(page: &Page) -> Vec<String> {
    let check = |target: &str| {
        if target.contains("://") || target.starts_with("mailto:") {
            return None;
        }
        let (file, anchor) = match target.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor)),
            None => (target, None),
        };
        let path = match file {
            "" => page.path.clone(),
            file => normalized(&page.path.with_file_name("").join(file)),
        };
        if file.starts_with('/') || !root().join(&path).exists() && path != page.path {
            return Some(format!("`{target}` leads to a file that does not exist"));
        }
        let anchor = anchor?;
        let anchors = match path == page.path {
            true => anchors(page),
            false => anchors(&Page::read(&path)),
        };
        if anchors.contains(anchor) {
            return None;
        }
        Some(format!(
            "`{target}` leads to a heading that does not exist; {} has {anchors:?}",
            path.display()
        ))
    };
    let problem = |link: &Link| Some(page.problem(link.line, check(&link.target)?));
    page.links.iter().filter_map(problem).collect()
}

/// Resolves `..` without the file system, as a browser does.
pub(super) fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normalized.pop();
            }
            Component::CurDir => {}
            other => normalized.push(other),
        }
    }
    normalized
}

/// Returns the anchors of the headings, as GitHub and mdBook generate them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in &page.headings {
        let slug: String = heading
            .text
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        candidates.find(|candidate| anchors.insert(candidate.clone()));
    }
    anchors
}

#[test]
fn anchors_are_generated_like_on_github() {
    let text = "# The `--fault` option, again\n## When?\n## When\n";
    let anchors = anchors(&Page::parse("page.md", text));
    let expected = ["the---fault-option-again", "when", "when-1"];
    assert_eq!(anchors, expected.map(str::to_owned).into());
}

#[test]
fn invalid_links_are_reported() {
    for (link, message) in [
        ("no-such.md", "a file that does not exist"),
        ("../docs/no-such.md#a", "a file that does not exist"),
        ("/README.md", "a file that does not exist"),
        ("#no-such", "a heading that does not exist"),
        ("book.toml#no-such", "a heading that does not exist"),
    ] {
        let page = Page::parse("docs/page.md", format!("# A\n\n[text]({link})\n"));
        assert_one(&problems(&page), "docs/page.md:3: ", message);
    }
    for link in ["#a", "../README.md", "reference/", "https://example.com/x"] {
        let page = Page::parse("docs/page.md", format!("# A\n\n[text]({link})\n"));
        assert_eq!(problems(&page), [""; 0]);
    }
}
