//! The limits that fg-extension should keep, as ratios to peers of the same run.

use crate::peers::OURS;
use crate::results::{Figures, get};

struct Bar {
    figure: &'static str,
    /// The peer to compare with, or `None` for an absolute limit.
    peer: Option<&'static str>,
    limit: Limit,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Limit::{AtLeast, AtMost};

const fn bar(figure: &'static str, peer: &'static str, limit: Limit) -> Bar {
    let peer = Some(peer);
    Bar {
        figure,
        peer,
        limit,
    }
}

const BARS: &[Bar] = &[
    bar("telemetry.100.rate", "hyper-dlmalloc", AtLeast(0.9)),
    bar("telemetry.1000.rate", "hyper-dlmalloc", AtLeast(0.9)),
    bar("telemetry.100.rate", "lambda-extension", AtLeast(3.5)),
    bar("telemetry.1000.rate", "lambda-extension", AtLeast(3.5)),
    bar("telemetry.100.rate", "go", AtLeast(5.5)),
    bar("telemetry.1000.rate", "go", AtLeast(5.5)),
    bar("instructions.event", "hyper-dlmalloc", AtMost(1.3)),
    bar("start.program", "hyper", AtMost(1.05)),
    bar("start.program", "python", AtMost(1.0 / 70.0)),
    bar("start.program", "go", AtMost(1.0 / 3.0)),
    bar("memory.idle", "hyper", AtMost(1.15)),
    bar("memory.invocations", "hyper", AtMost(1.15)),
    Bar {
        figure: "size.program",
        peer: None,
        limit: AtMost(1050.0),
    },
    Bar {
        figure: "size.zip",
        peer: None,
        limit: AtMost(520.0),
    },
    bar("invocations.16.rate", "hyper", AtLeast(0.97)),
    bar("invocations.16.rate", "axum", AtLeast(1.0)),
    bar("invocations.16.rate", "go", AtLeast(2.0)),
    bar("instructions.invocation", "hyper", AtMost(1.1)),
];

/// Returns one line for each limit whose figures were measured.
pub(crate) fn lines(figures: &Figures) -> Vec<String> {
    BARS.iter().filter_map(|it| line(it, figures)).collect()
}

fn line(bar: &Bar, figures: &Figures) -> Option<String> {
    let ours = get(figures, bar.figure, OURS)?;
    let (value, of) = match bar.peer {
        Some(peer) => (ours / get(figures, bar.figure, peer)?, format!(" × {peer}")),
        None => (ours, String::new()),
    };
    let (is_kept, limit) = match bar.limit {
        AtMost(limit) => (value <= limit, format!("at most {limit:.3}")),
        AtLeast(limit) => (value >= limit, format!("at least {limit:.3}")),
    };
    let verdict = if is_kept { "kept" } else { "MISSED" };
    let figure = bar.figure;
    Some(format!("{verdict:6}  {figure}: {value:.3}{of} ({limit})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::GROUPS;
    use crate::peers::PEERS;
    use crate::results::set;

    #[test]
    fn limits_refer_to_figures_and_peers_that_exist() {
        for bar in BARS {
            let mut columns = GROUPS.iter().flat_map(|it| it.columns);
            assert!(columns.any(|it| it.figure == bar.figure), "{}", bar.figure);
            assert!(bar.peer.is_none_or(|id| PEERS.iter().any(|it| it.id == id)));
        }
    }

    #[test]
    fn a_ratio_is_compared_with_its_limit() {
        let mut figures = Figures::new();
        assert!(lines(&figures).is_empty());
        set(&mut figures, "start.program", OURS, 1.0);
        set(&mut figures, "start.program", "hyper", 1.0);
        set(&mut figures, "start.program", "go", 2.0);
        assert_eq!(
            lines(&figures),
            [
                "kept    start.program: 1.000 × hyper (at most 1.050)",
                "MISSED  start.program: 0.500 × go (at most 0.333)",
            ]
        );
    }
}
