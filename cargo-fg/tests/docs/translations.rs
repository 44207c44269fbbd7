//! A translation consists of the same blocks as the page that it translates: headings, paragraphs, list items and rows of tables,
//! with the same code, numbers and links in each, and the same code blocks.
//!
//! Lines between `<!-- only in this language -->` and `<!-- end -->` belong to the translation alone.

use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::links::normalized;
use super::page::Page;
use super::{assert_none, assert_one};

/// Each translation, and the page that it translates.
const TRANSLATIONS: [(&str, &str); 2] = [
    ("README.zh-CN.md", "README.md"),
    (
        "docs/zh-CN/first-extension.md",
        "docs/guide/first-extension.md",
    ),
];

const START_OF_OWN_LINES: &str = "<!-- only in this language -->";
const END_OF_OWN_LINES: &str = "<!-- end -->";

/// Returns whether the page is a translation. Its code blocks are equal to those of another page, which are run.
pub(super) fn is_translation(path: &Path) -> bool {
    TRANSLATIONS.iter().any(|(page, _)| path == Path::new(page))
}

#[test]
fn translations_match_their_originals() {
    assert_none(TRANSLATIONS.iter().flat_map(|(translation, original)| {
        let translation = Page::read(translation);
        let version = concat!("fg-extension ", env!("CARGO_PKG_VERSION"));
        let outdated = (!translation.text.contains(version)).then(|| {
            let message = format!("does not say that it corresponds to {version}");
            translation.problem(1, message)
        });
        problems(&translation, &Page::read(original))
            .into_iter()
            .chain(outdated)
    }));
}

/// A part of a page that has a counterpart in its translation.
#[derive(Debug, Default, PartialEq)]
struct Block {
    kind: String,
    /// Inline code, in any order, since languages differ in it.
    code: Vec<String>,
    numbers: Vec<String>,
    /// The targets of links, relative to the root. A translation counts as its original.
    links: Vec<String>,
}

/// Returns the first difference, since a missing block shifts all that follow.
fn problems(translation: &Page, original: &Page) -> Vec<String> {
    let (mut theirs, mut ours) = (
        blocks(translation).into_iter(),
        blocks(original).into_iter(),
    );
    loop {
        let (line, original_line, problem) = match (theirs.next(), ours.next()) {
            (None, None) => break,
            (Some((line, _)), None) => (line, 0, "has no counterpart".to_owned()),
            (None, Some((line, block))) => (0, line, format!("{block:?} is missing")),
            (Some((_, a)), Some((_, b))) if a == b => continue,
            (Some((line, a)), Some((other, b))) => (line, other, format!("{a:?}, not {b:?}")),
        };
        let message = format!(
            "differs from {}:{original_line}: {problem}; translate the change",
            original.path.display()
        );
        return vec![translation.problem(line, message)];
    }
    let code = |page: &Page| -> Vec<_> {
        let blocks = page.blocks.iter();
        let blocks = blocks.filter(|block| !own_lines(page).contains(&block.line));
        blocks
            .map(|block| {
                let markers = ["from", "not run", "exit status", "with"];
                let markers = markers.map(|name| block.marker(name).map(str::to_owned));
                (block.language.clone(), block.text.clone(), markers)
            })
            .collect()
    };
    let (theirs, ours) = (code(translation), code(original));
    let first = theirs.iter().zip(&ours).position(|(a, b)| a != b);
    let number = first.or((theirs.len() != ours.len()).then_some(theirs.len().min(ours.len())));
    let problem = number.map(|number| {
        let line = translation.blocks.get(number).map_or(0, |block| block.line);
        let message = format!(
            "code block {} differs from that of {}; copy it, with its comments",
            number + 1,
            original.path.display()
        );
        translation.problem(line, message)
    });
    problem.into_iter().collect()
}

/// Returns the lines of the page that no other language has.
fn own_lines(page: &Page) -> Vec<usize> {
    let mut own = Vec::new();
    let mut is_own = false;
    for (i, line) in page.text.lines().enumerate() {
        is_own |= line == START_OF_OWN_LINES;
        if is_own {
            own.push(i + 1);
        }
        is_own &= line != END_OF_OWN_LINES;
    }
    own
}

/// Returns the blocks of the page, each with its line.
fn blocks(page: &Page) -> Vec<(usize, Block)> {
    let own = own_lines(page);
    let mut blocks: Vec<(usize, Block)> = Vec::new();
    let mut in_code_block = false;
    for (event, range) in Parser::new_ext(&page.text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = page.text[..range.start].matches('\n').count() + 1;
        if own.contains(&line) {
            continue;
        }
        let kind = match &event {
            Event::Start(Tag::Heading { level, .. }) => Some(format!("heading of level {level}")),
            Event::Start(Tag::Paragraph) => Some("paragraph".to_owned()),
            Event::Start(Tag::Item) => Some("list item".to_owned()),
            Event::Start(Tag::TableHead | Tag::TableRow) => Some("row of a table".to_owned()),
            Event::Start(Tag::CodeBlock(_)) => Some("code block".to_owned()),
            _ => None,
        };
        if let Some(kind) = kind {
            in_code_block = kind == "code block";
            let block = Block {
                kind,
                ..Block::default()
            };
            blocks.push((line, block));
        }
        let Some((_, block)) = blocks.last_mut() else {
            continue;
        };
        match event {
            Event::Text(text) if !in_code_block => block.numbers.extend(numbers(&text)),
            Event::Code(code) => block.code.push(code.into_string()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                block.links.extend(link(page, &dest_url));
            }
            _ => {}
        }
    }
    for (_, block) in &mut blocks {
        block.code.sort();
        block.numbers.sort();
        block.links.sort();
    }
    blocks
}

/// Returns the numbers that are written with digits, such as `8081` and `100,000`.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .map(|word| word.trim_matches(['.', ',']).to_owned())
        .filter(|word| !word.is_empty())
}

/// Returns the target of a link. Returns `None` for a link from a page to its translation, or back.
fn link(page: &Page, target: &str) -> Option<String> {
    if target.contains("://") {
        return Some(target.to_owned());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.path.clone(),
        file => normalized(&page.path.with_file_name("").join(file)),
    };
    let pair = TRANSLATIONS.iter().find(|(translation, original)| {
        path == Path::new(translation) || path == Path::new(original)
    });
    let Some((translation, original)) = pair else {
        return Some(format!("{}#{anchor}", path.display()));
    };
    let is_between_languages =
        page.path == Path::new(translation) || page.path == Path::new(original);
    // The anchors of a translation are in its language.
    (!is_between_languages).then(|| (*original).to_owned())
}

#[test]
fn equal_blocks_are_accepted() {
    let original = Page::parse(
        "docs/guide/first-extension.md",
        "# One\n\nRun `a` and `b` [5 times](state.md).\n\n- x\n\n<!-- not run: slow -->\n```text\n$ c\n```\n",
    );
    let translation = Page::parse(
        "docs/zh-CN/first-extension.md",
        "# 一\n\n<!-- only in this language -->\n0.1.0\n<!-- end -->\n\n[运行 5 次](../guide/state.md) `b`，`a`。\n\n- x\n\n\
         <!-- not run: slow -->\n```text\n$ c\n```\n",
    );
    assert_eq!(problems(&translation, &original), [""; 0]);
}

#[test]
fn differences_are_reported() {
    let original = Page::parse("README.md", "# A\n\nRun `a` 5 times.\n\n```text\n1\n```\n");
    for (text, place, message) in [
        ("# 一\n\n`a` 5。\n", ":0: ", "is missing"),
        (
            "## 一\n\n`a` 5。\n\n```text\n1\n```\n",
            ":1: ",
            "README.md:1",
        ),
        (
            "# 一\n\n`b` 5。\n\n```text\n1\n```\n",
            ":3: ",
            "README.md:3",
        ),
        (
            "# 一\n\n`a` 6。\n\n```text\n1\n```\n",
            ":3: ",
            "README.md:3",
        ),
        (
            "# 一\n\n`a` [5](x.md)。\n\n```text\n1\n```\n",
            ":3: ",
            "x.md",
        ),
        (
            "# 一\n\n`a` 5。\n\n```text\n2\n```\n",
            ":5: ",
            "code block 1",
        ),
        (
            "# 一\n\n`a` 5。\n\n```text\n1\n```\n\n二\n",
            ":9: ",
            "has no counterpart",
        ),
    ] {
        let translation = Page::parse("README.zh-CN.md", text);
        let place = format!("README.zh-CN.md{place}");
        assert_one(&problems(&translation, &original), &place, message);
    }
}
