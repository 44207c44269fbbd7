//! The report: a table for each section of the contract, always in the same order, so that two reports can be compared.

use crate::calls::{Calls, Kind};
use crate::probe::Observations;
use crate::row::Row;
use crate::settings::Settings;

const HEAD: &str = "# What platform-probe observed

- Date, region, runtime of the function:
- How it was invoked, and how often:

`D` is documented, `I` inferred, `?` unknown. `O` is observed, by one function in one region on one day. The platform does not
promise it, so it never becomes a `D`. Lengths of time are in classes, so that two reports of the same behavior are equal.
";

/// What cannot be seen by an extension, or not by one alone.
const NOT_OBSERVED: &str = "
## What this report cannot say

- Do the lines that an extension prints reach the function's log? Look there for lines that begin with `platform-probe`.
- What does a dead extension do to the function? Use the experiment `exit`, and look at the responses of the function.
- What does a failed response to an event do to the function? Use the experiment `error-response`, and look at the responses of the function.
- How long does the platform wait for a registration, for a response to an event, and for one to a batch?
- In which order are several extensions started? Attach a second one.
- Does a ZIP keep links, and how large may it be when unpacked?
- Which rejections of a registration are final, and after which is another try worth it?
- At most one extension can subscribe to telemetry (D): what does a second subscriber get? Attach a second one.
- When is an initializer tried again? When does the platform run a request again in another instance?
";

pub(crate) fn render(observations: &Observations, settings: &Settings) -> String {
    let mut report = HEAD.to_owned();
    report.push_str(&format!(
        "\nplatform-probe {}, experiments: ",
        env!("CARGO_PKG_VERSION")
    ));
    let asked = settings
        .experiments
        .all()
        .into_iter()
        .filter(|(.., asked)| *asked);
    let asked: Vec<_> = asked
        .map(|(name, does, _)| format!("`{name}` ({does})"))
        .collect();
    report.push_str(&if asked.is_empty() {
        "none".to_owned()
    } else {
        asked.join(", ")
    });
    report.push('\n');

    let Observations {
        process,
        image,
        processes,
        registration,
        calls,
        runs,
        telemetry,
        life,
        ..
    } = observations;
    section(
        &mut report,
        "1. Process and package",
        [process.clone(), image.clone(), processes.rows()].concat(),
    );
    section(&mut report, "2. Registration", registration.rows());
    let invocations = calls.get(Kind::Invocation);
    let invocations = [
        call_rows(invocations),
        body_rows(invocations),
        vec![calls.closing_row()],
        runs.invocation_rows(),
        observations.function_rows(),
    ];
    section(&mut report, "3. Invocation", invocations.concat());
    let batches = [
        registration.subscription_rows(),
        call_rows(calls.get(Kind::Telemetry)),
        telemetry.rows(),
        runs.telemetry_rows(),
    ];
    section(&mut report, "4. Telemetry", batches.concat());
    section(
        &mut report,
        "5. Life of an instance",
        [life.rows(), calls.rows_of_others()].concat(),
    );
    report.push_str(NOT_OBSERVED);
    report
}

fn call_rows(calls: Option<&Calls>) -> Vec<Row> {
    let list = |of: fn(&Calls) -> Vec<String>| calls.map(of).unwrap_or_default();
    vec![
        Row::list('D', "method and path", list(Calls::lines)),
        Row::list('?', "headers in their order", list(Calls::headers)),
        Row::list('?', "framing of the body", list(Calls::framing)),
        Row::new(
            '?',
            "keep-alive, or a connection for each request",
            calls.and_then(Calls::connections),
        ),
        Row::new(
            '?',
            "time from the first byte to the last",
            calls.and_then(Calls::transfer),
        ),
        Row::new(
            '?',
            "time between two requests",
            calls.and_then(Calls::intervals),
        ),
    ]
}

fn body_rows(calls: Option<&Calls>) -> Vec<Row> {
    let shapes = calls.map(Calls::shapes).unwrap_or_default();
    vec![Row::list(
        'D',
        "body (`traceId`, `invokedFunctionUrn`; the prose promises function name, version and handler)",
        shapes,
    )]
}

fn section(report: &mut String, title: &str, rows: Vec<Row>) {
    report.push_str(&format!(
        "\n## {title}\n\n| question | before | now | observed |\n| --- | --- | --- | --- |\n"
    ));
    for Row {
        mark,
        question,
        observed,
    } in rows
    {
        let (now, observed) = match &observed {
            Some(observed) => ('O', observed.replace('|', "\\|").replace("; ", "<br>")),
            None => (mark, "not seen in this run".to_owned()),
        };
        report.push_str(&format!("| {question} | {mark} | {now} | {observed} |\n"));
    }
}
