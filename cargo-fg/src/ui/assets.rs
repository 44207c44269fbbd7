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
