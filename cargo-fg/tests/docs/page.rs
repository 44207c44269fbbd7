//! A page of Markdown: its code blocks, headings, links and tables, each with its line.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::read;

pub(super) struct Page {
    /// Relative to the root of the repository.
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
    pub(super) headings: Vec<Heading>,
    pub(super) links: Vec<Link>,
    pub(super) tables: Vec<Table>,
}

/// A fenced code block.
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) text: String,
    /// The HTML comments directly before the block, such as `from examples/hello/src/main.rs`.
    markers: Vec<String>,
}

pub(super) struct Heading {
    pub(super) level: usize,
    pub(super) text: String,
}

pub(super) struct Link {
    pub(super) line: usize,
    pub(super) target: String,
}

pub(super) struct Table {
    pub(super) line: usize,
    /// The text of the heading above the table.
    pub(super) section: String,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A row of a table. Its cells are plain text, with code in backticks and without links.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

impl Page {
    pub(super) fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        Self::parse(path, read(path))
    }

    pub(super) fn parse(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let mut page = Self {
            path: path.into(),
            text: String::new(),
            blocks: Vec::new(),
            headings: Vec::new(),
            links: Vec::new(),
            tables: Vec::new(),
        };
        let line_at = |offset: usize| text[..offset].matches('\n').count() + 1;
        let mut markers = Vec::new();
        let mut in_block = false;
        // The text of the heading or the cell that is being read.
        let mut inline = String::new();
        let parser = Parser::new_ext(&text, Options::ENABLE_TABLES);
        for (event, range) in parser.into_offset_iter() {
            let line = line_at(range.start);
            let is_comment = matches!(
                event,
                Event::Start(Tag::HtmlBlock) | Event::Html(_) | Event::End(TagEnd::HtmlBlock)
            );
            match event {
                Event::Html(html) => markers.extend(marker(&html)),
                Event::Start(Tag::CodeBlock(kind)) => {
                    in_block = true;
                    page.blocks.push(Block {
                        line,
                        language: language(&kind),
                        text: String::new(),
                        markers: std::mem::take(&mut markers),
                    });
                }
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link {
                        line,
                        target: dest_url.into_string(),
                    });
                }
                Event::Start(Tag::Heading { .. } | Tag::TableCell) => inline.clear(),
                Event::End(TagEnd::Heading(level)) => page.headings.push(Heading {
                    level: level as usize,
                    text: inline.trim().to_owned(),
                }),
                Event::Start(Tag::Table(_)) => page.tables.push(Table {
                    line,
                    section: page
                        .headings
                        .last()
                        .map_or_else(String::new, |heading| heading.text.clone()),
                    header: Vec::new(),
                    rows: Vec::new(),
                }),
                Event::Start(Tag::TableRow) => page.table().rows.push(Row {
                    line,
                    cells: Vec::new(),
                }),
                Event::End(TagEnd::TableCell) => {
                    let cell = inline.trim().to_owned();
                    let table = page.table();
                    match table.rows.last_mut() {
                        Some(row) => row.cells.push(cell),
                        None => table.header.push(cell),
                    }
                }
                Event::Text(text) if in_block => {
                    let block = page.blocks.last_mut().expect("the block has started");
                    block.text += &text;
                }
                Event::Text(text) => inline += &text,
                Event::Code(code) => inline += &format!("`{code}`"),
                Event::SoftBreak | Event::HardBreak => inline.push(' '),
                _ => {}
            }
            if !is_comment {
                markers.clear();
            }
        }
        page.text = text;
        page
    }

    /// Returns a problem of this page: `FILE:LINE: message`.
    pub(super) fn problem(&self, line: usize, message: impl std::fmt::Display) -> String {
        format!("{}:{line}: {message}", self.path.display())
    }

    fn table(&mut self) -> &mut Table {
        self.tables
            .last_mut()
            .expect("rows and cells are in a table")
    }
}

impl Block {
    /// Returns the value of the marker `<!-- NAME: VALUE -->` or `<!-- NAME VALUE -->` directly before the block.
    pub(super) fn marker(&self, name: &str) -> Option<&str> {
        self.markers.iter().find_map(|marker| {
            let value = marker.strip_prefix(name)?;
            value
                .starts_with([':', ' '])
                .then(|| value.trim_start_matches(':').trim())
        })
    }
}

/// The first word after the fence; empty if there is none.
fn language(kind: &CodeBlockKind<'_>) -> String {
    match kind {
        CodeBlockKind::Fenced(info) => info.split([',', ' ']).next().unwrap_or_default().to_owned(),
        CodeBlockKind::Indented => String::new(),
    }
}

fn marker(html: &str) -> Option<String> {
    let comment = html.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    Some(comment.trim().to_owned())
}

#[test]
fn page_is_parsed_with_lines_markers_and_tables() {
    let text = "\
# One `x`

<!-- from a.rs -->
<!-- not run: slow -->
```rust,ignore
let a = 1;
```

text with [a link](b.md#c)

- ```console
  $ ls
  ```

## Two

| a | b |
| --- | --- |
| `x` [y](z.md) | 1 |
";
    let page = Page::parse("page.md", text);
    let [rust, console] = &page.blocks[..] else {
        panic!("two blocks")
    };
    assert_eq!((rust.line, rust.language.as_str()), (5, "rust"));
    assert_eq!(rust.text, "let a = 1;\n");
    assert_eq!(rust.marker("from"), Some("a.rs"));
    assert_eq!(rust.marker("not run"), Some("slow"));
    assert_eq!((console.line, console.text.as_str()), (11, "$ ls\n"));
    assert_eq!(console.marker("from"), None);
    assert_eq!(page.headings[0].text, "One `x`");
    let links: Vec<_> = page
        .links
        .iter()
        .map(|link| (link.line, link.target.as_str()))
        .collect();
    assert_eq!(links, [(9, "b.md#c"), (19, "z.md")]);
    let table = &page.tables[0];
    assert_eq!((table.line, table.section.as_str()), (17, "Two"));
    assert_eq!(table.header, ["a", "b"]);
    assert_eq!(table.rows[0].cells, ["`x` y", "1"]);
}
