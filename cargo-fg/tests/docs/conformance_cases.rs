//! Generates `docs/reference/conformance-cases.md` from the table of `fg-conformance`.

use std::fmt::Write;
use std::fs;

use fg_conformance::{Case, CaseId, Selection};

use super::root;

const PAGE: &str = "docs/reference/conformance-cases.md";

const INTRODUCTION: &str = "\
<!-- Written by `cargo xtask bless` from fg-conformance/src/cases/table: edit those files. -->

# Conformance cases

`cargo fg check` runs these cases against an extension, in this order; [the command's reference](cargo-fg.md#cargo-fg-check)
has its options. If a case fails, the cases that it blocks are skipped. So are the other cases on the same process, if it exits or no
longer responds.

The mark says how certain it is that the platform requires what a case checks: **D** documented, **I** inferred, **?** unknown.
[The introduction](../introduction.md) explains the marks. A source from 2703 to 2713 is the page `functiongraph_06_` with
that number in Huawei Cloud's API reference, and `05_1184` is `functiongraph_05_1184` in its best practices.
";

#[test]
fn conformance_cases_page_matches_the_table() {
    let path = root().join(PAGE);
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).ok().as_ref() == Some(&page),
        "{PAGE} differs from the table of the cases; run `cargo xtask bless`, or \
         `UPDATE_EXPECT=1 cargo test -p cargo-fg conformance_cases_page`"
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut group = None;
    for case in Selection::all().cases() {
        let id = case.id;
        if group.replace(id.group()) != Some(id.group()) {
            write!(page, "\n## {:?}\n", id.group()).unwrap();
        }
        let Case {
            sentence,
            mark,
            source,
            tried,
            remedy,
            ..
        } = case;
        write!(
            page,
            "\n### {id}\n\n**{sentence}** (mark {mark}, source {source})\n\n{tried}\n\nIf it fails: {remedy}.\n"
        )
        .unwrap();
        let links = |id: &CaseId| format!("[{id}](#{})", id.as_str().to_lowercase());
        let blockers: Vec<_> = case.prevented_by.iter().map(links).collect();
        if !blockers.is_empty() {
            write!(page, "\nBlocked by {}.\n", blockers.join(", ")).unwrap();
        }
    }
    page
}
