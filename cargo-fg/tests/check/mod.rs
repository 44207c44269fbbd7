//! `cargo fg check`, as its users call it.

mod checked;
mod faults;
mod zips;

use std::process::{Command, Stdio};

use self::checked::{SCRIPT, cases, check, ids, night_watch};

#[test]
fn our_examples_pass() {
    for (package, subscribes) in [
        ("hello", false),
        ("audit-log", false),
        ("own-main", false),
        ("telemetry-archive", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut command, _leases) = check(&["-p", package, "--format", "json"]);
        command
            .env("AUDIT_LOG", folder.path().join("audit.log"))
            .env("ARCHIVE_FILE", folder.path().join("telemetry.jsonl"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let cases = cases(&output);
        // Built for this machine, it may need a newer glibc; `package` links statically.
        let warned = ids(&cases, "warn", "");
        assert!(warned.iter().all(|id| id == "PKG-07"), "{cases:?}");
        let passed = ids(&cases, "pass", "");
        for prefix in [
            "REG",
            "INV",
            "FRZ",
            "END",
            if subscribes { "TEL" } else { "END" },
        ] {
            let all = cases.keys().filter(|id| id.starts_with(prefix));
            assert!(
                all.clone().all(|id| passed.contains(id)) && all.count() > 0,
                "{cases:?}"
            );
        }
        let silent = ids(&cases, "skip", "it does not subscribe to telemetry");
        assert_eq!(silent.len(), if subscribes { 0 } else { 3 }, "{cases:?}");
    }
}

#[test]
fn cases_are_selected() {
    let output = night_watch("", &["--format", "json", "reg-03", "END"]);
    let told: Vec<_> = cases(&output).into_keys().collect();
    assert_eq!(told, ["END-01", "END-02", "REG-03"]);
    // What prevents one that was asked for is told as well: it is not clean.
    let output = night_watch("wrong-name", &["--format", "json", "INV-01"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: Vec<_> = cases(&output).into_keys().collect();
    assert_eq!(told, ["INV-01", "REG-03"]);
}

#[test]
fn what_no_script_is_called_is_not_booted() {
    let arguments = ["--cmd", "no-such-program", "--script", "night_watch.sh"];
    let (mut command, _leases) = check(&arguments);
    let output = command.args(["--format", "json", "REG"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let cases = cases(&output);
    assert_eq!(
        ids(&cases, "fail", "`night_watch.sh` is no script name"),
        ["PKG-02"]
    );
    assert_eq!(
        ids(&cases, "skip", "prevented by PKG-02").len(),
        8,
        "{cases:?}"
    );
}

#[test]
fn budget() {
    let generous = ["--format", "json", "--budget", "start=10s,rss=1GB", "BUD"];
    let generous = cases(&night_watch("", &generous));
    assert_eq!(ids(&generous, "pass", ""), ["BUD-01", "BUD-02"]);
    let tight = ["--format", "json", "--budget", "start=1us,rss=4KB", "BUD"];
    let output = night_watch("", &tight);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let tight = cases(&output);
    let (_, start) = &tight["BUD-01"];
    let (_, rss) = &tight["BUD-02"];
    assert!(
        start.ends_with("s, the median of 5, over the budget of 1µs"),
        "{start}"
    );
    assert!(
        rss.ends_with(" MiB resident at most (VmHWM), over the budget of 3.9 KiB"),
        "{rss}"
    );
    assert_eq!(ids(&tight, "fail", ""), ["BUD-01", "BUD-02"]);
}

#[test]
fn for_people() {
    let output = night_watch("handler-fails", &["INV", "REG-08", "TEL-03"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("extensionNightWatch.sh  python3 "),
        "{text}"
    );
    let last = lines.next_back().unwrap();
    assert!(
        last.starts_with("2 passed, 1 failed, 0 warnings, 4 skipped, in "),
        "{text}"
    );
    let expected = "
Registration
  pass  REG-08  ends with a non-zero status when refused

Invocation
  FAIL  INV-01  answers an invocation with 200
                answered with 500: {\"error\": \"the vault\\nis sealed\"}
                answer POST /extension/invoke with 200; what the extension printed may say what went wrong
  skip  INV-02  answers 64 at once, while another comes in
  skip  INV-03  takes one connection for all, or one each
  skip  INV-04  answers what is malformed with 4xx, and lives
  skip  INV-05  takes an event with unknown fields
                prevented by INV-01

Telemetry
  pass  TEL-03  takes events that it does not know
";
    assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
}

#[test]
fn one_at_a_time_is_a_warning() {
    let output = night_watch("serial", &["INV-02"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(", but one stalled connection holds up the others\n"),
        "{text}"
    );
    assert!(
        text.contains("\n0 passed, 0 failed, 1 warning, 0 skipped, in "),
        "{text}"
    );
}

#[test]
fn who_does_not_read_the_body_holds_up_nobody() {
    let output = night_watch("blind", &["--format", "json", "INV-02", "END-02"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let cases = cases(&output);
    assert_eq!(ids(&cases, "pass", "all in "), ["INV-02"], "{cases:?}");
    let why = "it answers before a request is whole";
    assert_eq!(ids(&cases, "skip", why), ["END-02"], "{cases:?}");
}

#[test]
fn interrupted_it_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, temporary) = (folder.path().join("alive"), folder.path().join("tmp"));
    nix::unistd::mkfifo(&alive, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(&temporary).unwrap();
    // For as long as it lives, it holds the pipe open.
    let sleeper = format!("sh -c 'exec sleep 600 > {}'", alive.display());
    let (mut command, _leases) = check(&["--cmd", &sleeper, "--script", SCRIPT]);
    let command = command.env("TMPDIR", &temporary).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let mut pipe = std::fs::File::open(&alive).unwrap();
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(output.stderr, b"error: interrupted\n");
    assert_eq!(std::io::Read::read(&mut pipe, &mut [0]).unwrap(), 0);
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}

#[test]
fn what_it_printed_is_shown_when_it_fails() {
    let output = night_watch("no-registration", &["REG-01"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = "\nIts standard error, the last lines\n  there is no one to call\n";
    assert!(text.contains(shown), "{text}");
}

#[test]
fn for_ci_systems() {
    let output = night_watch(
        "strict-json",
        &["--format", "junit", "TEL", "PKG-01", "END-01"],
    );
    let xml = String::from_utf8(output.stdout).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(
        (report.tests, report.failures, report.errors),
        (5, 0, 0),
        "{xml}"
    );
    let suites: Vec<_> = report
        .test_suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(suites, ["PKG", "TEL", "END"]);
    let skipped = &report.test_suites[0].test_cases[0].status;
    assert!(
        matches!(skipped, quick_junit::TestCaseStatus::Skipped { .. }),
        "{xml}"
    );
    let quirks = &report.test_suites[1].test_cases[1];
    assert_eq!(
        quirks.name.as_str(),
        "TEL-02 takes events as the pages show them"
    );
    let told = quirks.system_out.as_ref().unwrap().as_str();
    assert!(told.starts_with("warning: trailing commas: "), "{told}");

    let output = night_watch("exits-3", &["--format", "junit", "END"]);
    let xml = String::from_utf8(output.stdout).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.tests, report.failures), (2, 1), "{xml}");
}

#[test]
fn cases_are_listed_and_explained() {
    let told = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        let output = command.arg("check").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = told(&["--list"]);
    assert_eq!(list.lines().count(), 34, "{list}");
    assert!(
        list.contains("\nREG-05  I  2707          listens before it registers\n"),
        "{list}"
    );
    let text = told(&["--explain", "TEL-02"]);
    assert!(
        text.starts_with("TEL-02  takes events as the pages show them\n\n"),
        "{text}"
    );
    for part in [
        "\n  mark    D, documented: ",
        "\n  source  functiongraph_06_2711 to 2713, of the API reference\n",
        "\n  If it fails: trim names, ",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_could_not_run_is_told() {
    let python = "python3 -c 'raise OSError(98, \"in use\")'";
    for (arguments, told) in [
        (
            &["REG-09", "-p", "hello"][..],
            "error: there is no case `REG-09`; there are PKG-01 to PKG-13, REG-01 to REG-08, INV-01 to INV-05, FRZ-01, \
             TEL-01 to TEL-03, END-01 to END-02, BUD-01 to BUD-02\n",
        ),
        (
            &["--explain", "x"],
            "error: there is no case `x`; there are PKG-01",
        ),
        (&["-p", "nonsense", "REG"], "error: the build failed\n"),
        (
            &["--zip", "/no/such.zip"],
            "error: cannot read /no/such.zip as a ZIP: No such file",
        ),
        (
            &["--cmd", "no-such-program", "--script", SCRIPT],
            "error: cannot find no-such-program: No such file",
        ),
        (&["--cmd", "python3"], "--script <NAME>"),
        (
            &["--budget", "start=soon"],
            "`soon` is no duration, as in start=50ms",
        ),
        (&["--env", "FAULT"], "it takes the form NAME=VALUE"),
        (
            &["--format", "xml"],
            "[possible values: human, json, junit]",
        ),
        // The port is held by the test, not by the extension.
        (
            &["--cmd", python, "--script", SCRIPT, "--format", "json"],
            "error: the extension ended before it registered, and port ",
        ),
    ] {
        let (mut command, leases) = check(arguments);
        let _holder = std::net::TcpListener::bind(("127.0.0.1", leases[0].port())).unwrap();
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
        assert!(
            output.stdout.is_empty(),
            "{arguments:?}: {:?}",
            output.stdout
        );
    }
}
