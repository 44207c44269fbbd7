//! Runs each command of a console block, and compares its output with the output that the page shows.
//!
//! The commands of a page run one after the other. They start in the root of the repository, and `cd` affects the commands
//! after it. `cargo fg` is the program under test, and `cargo fg new` writes to a temporary directory. Pages show that
//! directory as `/home/you`, and the root of the repository as `/home/you/fg-extension`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use fg_emulator::{PORT_RANGE, PortLease};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::output;
use super::page::{Block, Page};
use super::translations::is_translation;
use super::{assert_none, pages, root};
use crate::dev::running::Running;
use crate::new::install;
use crate::target_directory;

/// How long a command may take. It is long because a build may have to wait for another build.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The variable that is set for the commands, so that `cargo test` on a page does not run all pages again.
const NESTED: &str = "FG_DOCS_NESTED";

/// How many pages are tested at once.
const WORKERS: usize = 3;

/// The program under test, installed as by `cargo install --path`.
static INSTALLED: OnceLock<PathBuf> = OnceLock::new();

/// The `cargo` in the sandbox: runs the program under test for `cargo fg`, and the real cargo otherwise.
const CARGO: &str = "#!/bin/sh\nif [ \"$1\" = fg ]; then exec \"$CARGO_FG\" \"$@\"; fi\nexec \"$REAL_CARGO\" \"$@\"\n";

#[test]
fn commands_print_what_the_pages_show() {
    if std::env::var_os(NESTED).is_some() {
        return;
    }
    let mut pages = pages();
    pages.retain(|page| !is_translation(&page.path));
    let pages = Mutex::new(pages);
    let problems = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = pages.lock().unwrap().pop();
                    let Some(page) = next else { return };
                    let found = run_page(&page);
                    problems.lock().unwrap().extend(found);
                }
            });
        }
    });
    assert_none(problems.into_inner().unwrap());
}

/// Runs the commands of the page, and stops at the first one that fails: later ones may depend on it.
fn run_page(page: &Page) -> Option<String> {
    let is_run = |block: &&Block| block.language == "console" && block.marker("not run").is_none();
    let mut sandbox = None;
    for block in page.blocks.iter().filter(is_run) {
        let sandbox = sandbox.get_or_insert_with(Sandbox::new);
        if let Err((line, message)) = sandbox.run_block(block) {
            return Some(page.problem(block.line + line, message));
        }
    }
    None
}

/// A command, and the output that the page shows.
#[derive(Debug, Default, Eq, PartialEq)]
struct Step {
    /// The line in the block, from 1.
    line: usize,
    command: String,
    shown: String,
}

/// Splits a block into its commands, which start with `$ ` and continue on the next line after a `\`, and their output.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let last = steps.last_mut();
        match (line.strip_prefix("$ "), last) {
            (Some(command), _) => steps.push(Step {
                line: i + 1,
                command: command.to_owned(),
                shown: String::new(),
            }),
            (None, Some(step)) if step.command.ends_with('\\') && step.shown.is_empty() => {
                step.command = format!("{}{}", step.command.trim_end_matches('\\'), line.trim());
            }
            (None, Some(step)) => step.shown += &format!("{line}\n"),
            // `blocks` reports this line.
            (None, None) => {}
        }
    }
    steps
}

/// Where the commands of one page run.
struct Sandbox {
    /// Contains `bin`, which is first in `PATH`; `run`, for sockets; and `you`, for new packages.
    directory: TempDir,
    current: PathBuf,
}

impl Sandbox {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["bin", "run", "you"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let cargo = directory.path().join("bin/cargo");
        fs::write(&cargo, CARGO).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            directory,
            current: root(),
        }
    }

    /// Runs the commands of a block, alongside the command of `<!-- with: COMMAND -->`. An error contains the line in the
    /// block.
    fn run_block(&mut self, block: &Block) -> Result<(), (usize, String)> {
        let background = match block.marker("with") {
            Some(command) => Some(self.start(command).map_err(|message| (0, message))?),
            None => None,
        };
        let steps = steps(&block.text);
        for (i, step) in steps.iter().enumerate() {
            let expected = match block.marker("exit status") {
                Some(status) if i + 1 == steps.len() => status.parse().unwrap_or(0),
                _ => 0,
            };
            let outcome = self.run(step, expected, background.is_some());
            outcome.map_err(|message| (step.line, message))?;
        }
        Ok(())
    }

    /// Starts `cargo fg dev` in the background, and waits until `cargo fg invoke` can find it.
    fn start(&self, command: &str) -> Result<(Running, (PortLease, PortLease)), String> {
        let leases = PortLease::acquire_pair().unwrap();
        let mut background = self.command(&format!("exec {command}"), Some(&leases));
        background.stdin(Stdio::null());
        let mut running = Running::start(background);
        let line = running.line_that("starts with `invoked` or `failed`", |line| {
            line.starts_with("invoked #1 ") || line.starts_with("failed ")
        });
        match line.strip_prefix("failed ") {
            None => Ok((running, leases)),
            Some(why) => Err(format!("`{command}` does not start: {why}")),
        }
    }

    fn run(&mut self, step: &Step, expected: i32, has_background: bool) -> Result<(), String> {
        let command = &step.command;
        if let Some(directory) = command.strip_prefix("cd ") {
            return self.change_directory(directory.trim());
        }
        if command.starts_with("cargo fg new ") && self.current == root() {
            self.current = self.directory.path().join("you");
            let outcome = self.run(step, expected, has_background);
            self.current = root();
            return outcome;
        }
        let boots = ["cargo fg dev", "cargo fg check"];
        let needs_ports = !has_background && boots.iter().any(|name| command.contains(name));
        let leases = needs_ports.then(|| PortLease::acquire_pair().unwrap());
        let (status, real) = self.execute(command, leases.as_ref(), step.shown.contains('█'))?;
        let real = self.with_page_names(&real);
        if status.code() != Some(expected) {
            return Err(format!(
                "`{command}`: {status}, expected {expected}; correct the command, or write `<!-- exit status: N -->` \
                 before the block. Its output:\n{real}"
            ));
        }
        if step.shown.is_empty() || output::matches(&step.shown, &real) {
            return Ok(());
        }
        Err(format!(
            "`{command}` prints something else; copy its output, and write `…` for the parts that may differ. Its output:\n{real}"
        ))
    }

    fn change_directory(&mut self, directory: &str) -> Result<(), String> {
        let you = self.directory.path().join("you");
        let places = [self.current.join(directory), you.join(directory)];
        match places.iter().find(|place| place.is_dir()) {
            Some(place) => {
                self.current = place.canonicalize().unwrap();
                Ok(())
            }
            None => Err(format!("`cd {directory}`: there is no such directory")),
        }
    }

    /// Runs a command, on a terminal if the page shows the bars of a timeline. Returns its exit status and its output.
    fn execute(
        &self,
        command: &str,
        leases: Option<&(PortLease, PortLease)>,
        on_terminal: bool,
    ) -> Result<(ExitStatus, String), String> {
        let path = self.directory.path().join("output");
        let file = File::create(&path).unwrap();
        let line = match on_terminal {
            true => format!(
                "script --quiet --return --flush --command {} /dev/null",
                shell_words::quote(command)
            ),
            false => command.to_owned(),
        };
        let mut command = self.command(&line, leases);
        let child = command
            // Keep stdin open: on a terminal, closing it would be Ctrl-D.
            .stdin(Stdio::piped())
            // Write to a file, because a process that outlives the command would keep a pipe open.
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot run `{line}`: {error}"))?;
        let status = wait(child, TIMEOUT);
        let output = fs::read(&path).unwrap();
        let output = String::from_utf8_lossy(&output).replace('\r', "");
        match status {
            Some(status) => Ok((status, output)),
            None => Err(format!(
                "`{line}` did not exit within {TIMEOUT:?}; if it is not meant to, write `<!-- not run: REASON -->` \
                 before the block. Its output:\n{output}"
            )),
        }
    }

    fn command(&self, line: &str, leases: Option<&(PortLease, PortLease)>) -> Command {
        let directory = self.directory.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        let mut line = line.to_owned();
        if let Some((first, second)) = leases {
            let ports = [first, second].map(PortLease::port);
            line = with_leased_ports(&line, ports);
            command
                .env("FG_EXTENSION_PORT", ports[0].to_string())
                .env("FG_TELEMETRY_PORT", ports[1].to_string());
        }
        command
            .args(["-c", &line])
            .current_dir(&self.current)
            .env(
                "PATH",
                format!("{}:{path}", directory.join("bin").display()),
            )
            .env(NESTED, "1")
            .env(
                "CARGO_FG",
                INSTALLED.get_or_init(|| install("docs", &root())),
            )
            .env("REAL_CARGO", env!("CARGO"))
            // The alias in a clone sets this variable, but an installed program runs without it.
            .env_remove("CARGO_MANIFEST_DIR")
            .env("XDG_RUNTIME_DIR", directory.join("run"))
            // New packages share the target directory and the profile of the workspace, so that little has to be rebuilt.
            .env("CARGO_TARGET_DIR", target_directory())
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env("CARGO_TERM_COLOR", "never")
            .env("NO_COLOR", "1")
            .env_remove("RUST_TEST_THREADS");
        command
    }

    /// Returns the output with the directory names that pages show.
    fn with_page_names(&self, output: &str) -> String {
        let target = target_directory();
        output
            .replace(&format!("{}/", target.display()), "target/")
            .replace(&root().display().to_string(), "/home/you/fg-extension")
            .replace(
                &self.directory.path().join("you").display().to_string(),
                "/home/you",
            )
    }
}

/// Waits for a process, and then kills its group: the process itself if it takes too long, and its children in any case.
fn wait(mut child: Child, timeout: Duration) -> Option<ExitStatus> {
    let group = Pid::from_raw(child.id().try_into().unwrap());
    // `Child::wait` would close stdin.
    let stdin = child.stdin.take();
    let (sender, exited) = channel();
    std::thread::spawn(move || sender.send(child.wait()));
    let status = exited.recv_timeout(timeout);
    let _ = killpg(group, Signal::SIGKILL);
    drop(stdin);
    match status {
        Ok(status) => Some(status.unwrap()),
        Err(_) => {
            exited.recv().unwrap().unwrap();
            None
        }
    }
}

/// Replaces the first two distinct ports in a command with the leased ones, because another process may use the original
/// ports at the same time.
fn with_leased_ports(command: &str, leased: [u16; 2]) -> String {
    let mut named = Vec::new();
    let words = command.split_inclusive(|c: char| !c.is_ascii_digit());
    words
        .map(|word| {
            let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
            let Some(port) = digits.parse().ok().filter(|port| PORT_RANGE.contains(port)) else {
                return word.to_owned();
            };
            if !named.contains(&port) {
                named.push(port);
            }
            let index = named.iter().position(|other| *other == port);
            let leased = index.and_then(|index| leased.get(index)).unwrap_or(&port);
            format!("{leased}{}", &word[digits.len()..])
        })
        .collect()
}

fn page(text: &str) -> Page {
    Page::parse("page.md", text)
}

#[test]
fn blocks_are_split_into_commands() {
    let step = |line, command: &str, shown: &str| Step {
        line,
        command: command.to_owned(),
        shown: shown.to_owned(),
    };
    assert_eq!(
        steps("$ a \\\n    -b\nx\n\ny\n$ c\n"),
        [step(1, "a -b", "x\n\ny\n"), step(6, "c", "")]
    );
}

#[test]
fn commands_get_leased_ports() {
    let replaced = with_leased_ports("A=8085 b --port 8086 8085 80851 8080", [8082, 8085]);
    assert_eq!(replaced, "A=8082 b --port 8085 8082 80851 8080");
}

#[test]
fn valid_pages_are_accepted() {
    let text = "\
```console
$ cargo fg dev -p hello --invocations 1
…
     invoked #1 65a82107-071f-40cb-bf7c-10908e8a6259
         function █████████▉                                                  0.20 ms ok
extensionHello.sh      █████████████████████████████████████████████████▋     1.18 ms 200
…
```
```console
$ cargo fg new night-watch
     Created `night-watch` from the example `hello`: extensionNightWatch.sh, port 8081
…
$ cd night-watch
$ ls
Cargo.toml
src
tests
```
<!-- exit status: 1 -->
```console
$ cargo fg dev -p no-such
error: the workspace … has no package `no-such`; its packages with a binary are night-watch
```
<!-- not run: it never exits -->
```console
$ sleep 1000
```
";
    assert_eq!(run_page(&page(text)), None);
}

#[test]
fn invalid_pages_are_reported() {
    for (text, message) in [
        (
            "```console\n$ true\n$ echo a\nb\n```\n",
            "page.md:3: `echo a` prints something else",
        ),
        (
            "```console\n$ false\n```\n",
            "page.md:2: `false`: exit status: 1, expected 0",
        ),
        (
            "<!-- exit status: 1 -->\n```console\n$ true\n```\n",
            "page.md:3: `true`: exit status: 0, expected 1",
        ),
        (
            "```console\n$ cd no-such\n```\n",
            "page.md:2: `cd no-such`: there is no such directory",
        ),
        (
            "```console\n$ cargo fg dev --no-such\n```\n",
            "page.md:2: `cargo fg dev --no-such`: exit status: 2",
        ),
    ] {
        let problem = run_page(&page(text)).unwrap_or_default();
        assert!(problem.starts_with(message), "{text}: {problem}");
    }
}

#[test]
fn commands_that_do_not_exit_are_killed_as_a_group() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "sleep 1000 & wait"])
        .stdout(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(wait(child, Duration::from_millis(100)), None);
    // The pipe is open as long as one of the two processes runs.
    let (sender, closed) = channel();
    std::thread::spawn(move || sender.send(stdout.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(closed.recv_timeout(TIMEOUT), Ok(true));
}

#[test]
fn background_command_runs_alongside_a_block() {
    let text = "\
<!-- with: cargo fg dev -p hello --interval 1h -->
```console
$ cargo fg invoke --duration 80ms --outcome error
      result #2 error in 81.42 ms
     invoked #2 b94ceefe-ab3c-4c75-bb1b-757c064eb2e5 200 in 2.44 ms
```
";
    assert_eq!(run_page(&page(text)), None);
}
