//! Bar charts in SVG. The colors follow `prefers-color-scheme`, and the chart has its own background, so that it is
//! readable on any page.

use crate::catalog::Chart;
use crate::peers::{OURS, PEERS};
use crate::results::{Figures, get};
use crate::table::number;

const WIDTH: f64 = 760.0;
/// Where the bars start: the names of the peers are left of it.
const LEFT: f64 = 150.0;
/// The space for the number right of the longest bar.
const RIGHT: f64 = 90.0;
const BAR: f64 = 16.0;
const GAP: f64 = 12.0;
const TOP: f64 = 44.0;
const LEGEND: f64 = 24.0;

const STYLE: &str = "\
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .ours { font-weight: 600 }
  .background { fill: #ffffff; stroke: #d1d9e0 }
  .bar0 { fill: #0969da } .bar1 { fill: #8250df } .bar2 { fill: #bf8700 }
  .peer { opacity: 0.55 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .background { fill: #0d1117; stroke: #3d444d }
    .bar0 { fill: #4493f8 } .bar1 { fill: #ab7df8 } .bar2 { fill: #d29922 }
  }
</style>
";

/// Draws a chart, with the peers in the order of the best first bar. Returns `None` without values.
pub(crate) fn bar_chart(chart: &Chart, figures: &Figures) -> Option<String> {
    let mut rows: Vec<(&str, Vec<Option<f64>>)> = PEERS
        .iter()
        .map(|peer| {
            let values = chart
                .bars
                .iter()
                .map(|(figure, _)| get(figures, figure, peer.id));
            (peer.id, values.collect())
        })
        .collect();
    rows.retain(|(_, values)| values.iter().any(Option::is_some));
    let more_is_better = chart.title.contains("more is better");
    rows.sort_by(|(_, left), (_, right)| {
        let key = |values: &[Option<f64>]| match values.first().copied().flatten() {
            Some(value) if more_is_better => -value,
            Some(value) => value,
            None => f64::INFINITY,
        };
        key(left).total_cmp(&key(right))
    });
    let values = rows.iter().flat_map(|(_, values)| values.iter().flatten());
    let longest = values.copied().fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let has_legend = chart.bars.len() > 1;
    let row_height = BAR * chart.bars.len() as f64 + GAP;
    let top = TOP + if has_legend { LEGEND } else { 0.0 };
    let height = top + row_height * rows.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         {STYLE}<rect class=\"background\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{title}</text>\n",
        WIDTH - 1.0,
        height - 1.0,
        title = escape(chart.title),
    );
    if has_legend {
        let mut x = 16.0;
        for (index, (_, name)) in chart.bars.iter().enumerate() {
            svg += &format!(
                "<rect class=\"bar{index}\" x=\"{x}\" y=\"41\" width=\"12\" height=\"12\"/><text x=\"{}\" y=\"52\">{}</text>\n",
                x + 18.0,
                escape(name)
            );
            x += 40.0 + 7.5 * name.len() as f64;
        }
    }
    for (row, (peer, values)) in rows.iter().enumerate() {
        let y = top + row_height * row as f64;
        let (class, opacity) = if *peer == OURS {
            ("ours", "")
        } else {
            ("", " peer")
        };
        let middle = y + (row_height - GAP) / 2.0 + 4.5;
        svg += &format!(
            "<text class=\"{class}\" x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{peer}</text>\n",
            LEFT - 10.0
        );
        for (bar, value) in values.iter().enumerate() {
            let y = y + BAR * bar as f64;
            let Some(value) = value else { continue };
            let length = (value / longest * (WIDTH - LEFT - RIGHT)).max(1.0);
            svg += &format!(
                "<rect class=\"bar{bar}{opacity}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\"/>\
                 <text class=\"{class}\" x=\"{:.1}\" y=\"{}\">{}</text>\n",
                BAR - 2.0,
                LEFT + length + 6.0,
                y + BAR - 4.0,
                number(*value, chart.digits)
            );
        }
    }
    svg += "</svg>\n";
    Some(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::set;

    const CHART: Chart = Chart {
        file: "test",
        title: "Rate & more (more is better)",
        digits: 0,
        bars: &[("a", "first"), ("b", "second")],
    };

    fn figures() -> Figures {
        let mut figures = Figures::new();
        set(&mut figures, "a", "fg-extension", 100.0);
        set(&mut figures, "a", "go", 400.0);
        set(&mut figures, "b", "go", 200.0);
        figures
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_the_others_are_in_proportion() {
        let svg = bar_chart(&CHART, &figures()).unwrap();
        for width in ["520.0", "260.0", "130.0"] {
            assert!(
                svg.contains(&format!("width=\"{width}\"")),
                "{width} in {svg}"
            );
        }
    }

    #[test]
    fn the_best_peer_is_first() {
        let svg = bar_chart(&CHART, &figures()).unwrap();
        assert!(svg.find(">go<") < svg.find(">fg-extension<"));
        let chart = Chart {
            title: "Time (less is better)",
            ..CHART
        };
        let svg = bar_chart(&chart, &figures()).unwrap();
        assert!(svg.find(">go<") > svg.find(">fg-extension<"));
    }

    #[test]
    fn the_chart_has_colors_for_dark_pages_and_escaped_text() {
        let svg = bar_chart(&CHART, &figures()).unwrap();
        assert!(svg.contains("@media (prefers-color-scheme: dark)"));
        assert!(svg.contains("Rate &amp; more"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn there_is_no_chart_without_values() {
        assert!(bar_chart(&CHART, &Figures::new()).is_none());
    }
}
