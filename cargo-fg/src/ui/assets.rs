//! The files of the page, embedded into the program.

/// The page. It refers to `style.css` and `app.js`, which an export puts into the page itself.
pub(super) const INDEX: &str = include_str!("../../ui/index.html");

pub(super) const STYLE: &str = concat!(
    include_str!("../../ui/style.css"),
    include_str!("../../ui/panels.css"),
);

/// The program of the page. Its files share one scope, and do not need a build step.
pub(super) const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("../../ui/dom.js"),
    include_str!("../../ui/session.js"),
    include_str!("../../ui/source.js"),
    include_str!("../../ui/view.js"),
    include_str!("../../ui/layout.js"),
    include_str!("../../ui/follow.js"),
    include_str!("../../ui/painter.js"),
    include_str!("../../ui/draw.js"),
    include_str!("../../ui/pick.js"),
    include_str!("../../ui/minimap.js"),
    include_str!("../../ui/gestures.js"),
    include_str!("../../ui/timeline.js"),
    include_str!("../../ui/virtual_list.js"),
    include_str!("../../ui/analysis.js"),
    include_str!("../../ui/invocations.js"),
    include_str!("../../ui/body_view.js"),
    include_str!("../../ui/detail.js"),
    include_str!("../../ui/invocation_detail.js"),
    include_str!("../../ui/log_text.js"),
    include_str!("../../ui/logs.js"),
    include_str!("../../ui/controls.js"),
    include_str!("../../ui/run_stats.js"),
    include_str!("../../ui/compare.js"),
    include_str!("../../ui/report.js"),
    include_str!("../../ui/splitter.js"),
    include_str!("../../ui/header.js"),
    include_str!("../../ui/app.js"),
    "})();\n",
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SCRIPT;

    #[test]
    fn files_of_the_script_declare_different_names() {
        let mut names = BTreeSet::new();
        for line in SCRIPT.lines() {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
            let keyword = words.next().unwrap_or_default();
            if let ("function" | "class" | "const" | "let", Some(name)) = (keyword, words.next()) {
                // The later one of two functions with the same name would silently replace the other one.
                assert!(names.insert(name), "{name} is declared twice");
            }
        }
        assert!(names.len() > 100, "{names:?}");
    }
}
