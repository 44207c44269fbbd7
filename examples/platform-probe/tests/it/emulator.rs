//! Boots the probe beside a function, and compares the report with an expected one.

use std::path::Path;
use std::sync::{Arc, Mutex};

use expect_test::expect_file;
use fg_emulator::{Event, ExtensionCommand, InvokeRequest, Platform};

use super::{PROGRAM, SCRIPT};

type TestResult = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn report_is_as_expected() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("report.md");
    let port = Arc::new(Mutex::new(0));
    let registered = Arc::clone(&port);
    let platform = Platform::builder()
        .user_data("PROBE_MARK", "4711")
        .observer(move |event| {
            if let Event::Registered { address, .. } = event {
                *registered.lock().expect("a port is set") = address.port();
            }
        })
        .start()
        .await?;
    let bootstrap = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bootstrap");
    platform.boot_function(bootstrap).await?;
    let command = ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("PROBE_REPORT", &file)
        .env_remove("PROBE_MARK");
    platform
        .boot(command.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;

    let port = *port.lock().expect("the port is set");
    let payload = format!(r#"{{"port": {port}, "file": "{}"}}"#, file.display());
    for _ in 0..2 {
        let invoked = platform
            .invoke_with(InvokeRequest::new().payload(payload.clone()))
            .await?;
        invoked.assert_ok();
        platform.wait_for_telemetry().await;
        // The next invocation thaws it. The unit tests of `life` describe freezes of a certain length.
        platform.freeze();
    }
    let invoked = platform
        .invoke_with(InvokeRequest::new().payload(payload))
        .await?;
    invoked.assert_ok();
    platform.wait_for_telemetry().await;

    // The function returns the report, and a section of its own.
    let response = invoked.function.response;
    let response = String::from_utf8(response.to_vec())?;
    assert!(
        response.starts_with("# What platform-probe observed\n"),
        "{response}"
    );
    let (_, function) = response
        .split_once("## 6. What the function sees")
        .ok_or("no section")?;
    assert!(
        function.contains("| where the report was found | the port of the extension |"),
        "{function}"
    );
    assert!(
        function.contains("| the file of the extension | readable |"),
        "{function}"
    );
    assert!(
        function
            .contains("| the process of the extension | visible; its environment is readable |"),
        "{function}"
    );

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let report = std::fs::read_to_string(&file)?;
    let printed: Vec<_> = shutdown.extensions[0]
        .stdout()
        .lines()
        .filter_map(|line| line.strip_prefix("platform-probe|"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n")
        .collect();
    assert!(printed.concat().ends_with(&report), "{}", printed.concat());
    assert_eq!(report.matches("4711").count(), 0);
    expect_file!["../expected.md"].assert_eq(&normalized(&report));
    Ok(())
}

/// Masks what depends on the machine and on its speed.
fn normalized(report: &str) -> String {
    let mut section = "";
    let mut result = String::new();
    for line in report.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let cells: Vec<_> = line.split(" | ").collect();
        let line = match cells[..] {
            // A freeze of this test is as long as a tick or shorter.
            [question, before, ..] if question.contains("when is an instance frozen") => {
                format!("{question} | {before} | … |")
            }
            [question, before, "O", observed] => {
                let observed = masked(section, question, observed.trim_end_matches(" |"));
                format!("{question} | {before} | O | {observed} |")
            }
            _ => line.to_owned(),
        };
        result.push_str(&line);
        result.push('\n');
    }
    result
}

/// Masks an observation, or parts of it.
fn masked(section: &str, question: &str, observed: &str) -> String {
    let asks = |questions: &[&str]| questions.iter().any(|it| question.contains(it));
    let of_the_machine = section.starts_with("1.")
        && !asks(&[
            "RUNTIME_USERDATA",
            "EXTENSION_API_ADDR",
            "variables that a user sets",
        ]);
    // The emulator does not define the order of an event and the function.
    let of_its_speed = [
        "time",
        "event against",
        "a response delay",
        "delivery of",
        "`platform.initStart`",
    ];
    if of_the_machine || asks(&of_its_speed) && !asks(&["shape"]) {
        return "…".to_owned();
    }
    let has_counts = asks(&[
        "connection",
        "in flight",
        "same trace ID",
        "events of a batch",
        "how is it frozen",
    ]);
    let mut lines: Vec<_> = observed
        .split("<br>")
        .map(|line| {
            let (line, _) = line
                .split_once(" (")
                .filter(|_| line.ends_with("×)"))
                .unwrap_or((line, ""));
            if has_counts {
                without_numbers(line)
            } else {
                line.to_owned()
            }
        })
        .collect();
    lines.dedup();
    lines.join("<br>")
}

/// Replaces each number, with its unit, by `…`.
fn without_numbers(line: &str) -> String {
    let is_number = |word: &str| word.starts_with(|it: char| it.is_ascii_digit());
    let is_masked = |word: &str| is_number(word) || ["ms", "s", "below", "to", "…"].contains(&word);
    let mut words: Vec<_> = line
        .split(' ')
        .map(|word| if is_masked(word) { "…" } else { word })
        .collect();
    words.dedup();
    words.join(" ")
}
