//! The figures: their names, units, and what the page says about them.

/// Figures that are measured together, and are one table of the page.
pub(crate) struct Group {
    /// The argument of `--only`.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// How it is measured.
    pub(crate) text: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) charts: &'static [Chart],
}

pub(crate) struct Column {
    pub(crate) figure: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) digits: usize,
}

/// A bar chart of one or more figures with the same unit.
pub(crate) struct Chart {
    /// The name of the file.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) digits: usize,
    /// Figures and the names of their bars.
    pub(crate) bars: &'static [(&'static str, &'static str)],
}

const fn column(figure: &'static str, heading: &'static str, digits: usize) -> Column {
    Column {
        figure,
        heading,
        digits,
    }
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        id: "start",
        title: "Start",
        text: "From just before the process is started until its registration arrives at the platform, in milliseconds: \
               the program started directly, and by the start script, as the platform starts it. The runs of all peers are \
               interleaved; each follows an unmeasured start of the same program.",
        columns: &[
            column("start.program", "program, median", 2),
            column("start.program.p90", "p90", 2),
            column("start.script", "script, median", 2),
            column("start.script.p90", "p90", 2),
        ],
        charts: &[Chart {
            file: "start",
            title: "Start to registration, ms (less is better)",
            digits: 2,
            bars: &[
                ("start.program", "program"),
                ("start.script", "with the start script"),
            ],
        }],
    },
    Group {
        id: "memory",
        title: "Memory",
        text: "Resident memory (`VmRSS`) in KB: of the idle extension after its registration; after 100,000 invocations \
               over 16 connections; and, of the telemetry job, after 1,000,000 events in batches of 100.",
        columns: &[
            column("memory.idle", "idle", 0),
            column("memory.invocations", "after invocations", 0),
            column("memory.telemetry", "after telemetry", 0),
        ],
        charts: &[Chart {
            file: "memory",
            title: "Resident memory, KB (less is better)",
            digits: 0,
            bars: &[
                ("memory.idle", "idle"),
                ("memory.invocations", "after 100,000 invocations"),
                ("memory.telemetry", "after 1,000,000 telemetry events"),
            ],
        }],
    },
    Group {
        id: "size",
        title: "Size",
        text: "The program that prints each invocation, and the ZIP with its start script, in KB of 1,000 bytes. \
               Interpreters of Node and Python are not included.",
        columns: &[
            column("size.program", "program", 1),
            column("size.zip", "ZIP", 1),
        ],
        charts: &[Chart {
            file: "size",
            title: "Size of the ZIP, KB (less is better)",
            digits: 0,
            bars: &[("size.zip", "ZIP")],
        }],
    },
    Group {
        id: "invocations",
        title: "Invocations",
        text: "Invocations over 1 and over 16 connections that are kept alive: how many per second, the time until the \
               response (p50 and p99, in microseconds), and the CPU time of the extension for each, in microseconds.",
        columns: &[
            column("invocations.1.rate", "1 connection: per s", 0),
            column("invocations.1.p50", "p50", 1),
            column("invocations.1.p99", "p99", 1),
            column("invocations.1.cpu", "CPU", 1),
            column("invocations.16.rate", "16 connections: per s", 0),
            column("invocations.16.p50", "p50", 1),
            column("invocations.16.p99", "p99", 1),
            column("invocations.16.cpu", "CPU", 1),
        ],
        charts: &[Chart {
            file: "invocations",
            title: "Invocations per second, 16 connections (more is better)",
            digits: 0,
            bars: &[("invocations.16.rate", "invocations per second")],
        }],
    },
    Group {
        id: "telemetry",
        title: "Telemetry",
        text: "Platform events of 172 bytes on average, over 4 connections, until a handler has read the kind and the trace \
               ID of the last one: events per second in thousands, and the CPU time for each in microseconds, for batches \
               of 1, 100 and 1,000 events.",
        columns: &[
            column("telemetry.1.rate", "batches of 1: thousands per s", 0),
            column("telemetry.1.cpu", "CPU", 2),
            column("telemetry.100.rate", "of 100", 0),
            column("telemetry.100.cpu", "CPU", 2),
            column("telemetry.1000.rate", "of 1,000", 0),
            column("telemetry.1000.cpu", "CPU", 2),
        ],
        charts: &[Chart {
            file: "telemetry",
            title: "Telemetry events per second, thousands (more is better)",
            digits: 0,
            bars: &[
                ("telemetry.100.rate", "batches of 100"),
                ("telemetry.1000.rate", "batches of 1,000"),
            ],
        }],
    },
    Group {
        id: "instructions",
        title: "Instructions",
        text: "Instructions in user mode, counted by callgrind: the difference of two runs of different length, divided by \
               the difference of their lengths. An invocation is one request on a connection that is kept alive; a \
               telemetry event is one of a batch of 100.",
        columns: &[
            column("instructions.invocation", "per invocation", 0),
            column("instructions.event", "per telemetry event", 0),
        ],
        charts: &[],
    },
    Group {
        id: "otlp",
        title: "OTLP forwarding",
        text: "`examples/otlp-forwarder` with a collector that accepts everything, for platform events in batches of 100: CPU \
               time in microseconds for each event, from start to exit, without compression and with gzip, which is the \
               default; and instructions for each event, without compression. No peer forwards telemetry by OTLP.",
        columns: &[
            column("otlp.cpu", "CPU per event", 2),
            column("otlp.gzip.cpu", "with gzip", 2),
            column("otlp.instructions", "instructions per event", 0),
        ],
        charts: &[],
    },
    Group {
        id: "build",
        title: "Build",
        text: "A release build of the program that prints each invocation, from an empty target directory, in seconds; and \
               how many crates it compiles, with macros and build scripts.",
        columns: &[
            column("build.seconds", "seconds", 0),
            column("build.crates", "crates", 0),
        ],
        charts: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_show_figures_of_their_table() {
        for group in GROUPS {
            for (figure, _) in group.charts.iter().flat_map(|it| it.bars) {
                assert!(
                    group.columns.iter().any(|it| it.figure == *figure),
                    "{figure}"
                );
            }
            for column in group.columns {
                assert!(column.figure.starts_with(&format!("{}.", group.id)));
            }
        }
    }
}
