//! An extension whose behavior is selected by the trace ID of each invocation, or by the variable `BEHAVIOR`.

use std::io::{BufRead, stdin};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::time::Duration;

use fg_extension::{Error, Invocation, extension};
use fg_extension_tests::compute;
use tokio::sync::Barrier;

/// The number of `together` invocations that must be in flight before any of them finishes.
const TOGETHER: usize = 64;
/// The number of lines that a `flood` invocation logs: more than the pipe and the queue hold.
const FLOOD: usize = 400;
static BARRIER: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(TOGETHER));

const FIRST_PORT: u16 = 8080;

/// An error that panics when it is formatted.
#[derive(Debug)]
struct PanicInDisplay;

impl std::fmt::Display for PanicInDisplay {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("panicked while formatting an error")
    }
}

impl std::error::Error for PanicInDisplay {}

/// Also covers a port that is an expression and a function named `main`.
#[extension(name = "extensionFixture.sh", port = FIRST_PORT + 1)]
async fn main(invocation: Invocation) -> Result<(), Error> {
    println!("invoked {}", invocation.trace_id);
    let behavior = std::env::var("BEHAVIOR");
    match behavior.as_deref().unwrap_or(&invocation.trace_id) {
        "error" => Err("this one went wrong")?,
        "lines" => Err("two\nlines")?,
        "panic" => panic!("this one panicked"),
        "panic in display" => Err(PanicInDisplay)?,
        "caught" => drop(catch_unwind(|| panic!("this panic is caught"))),
        "resumed" => resume_unwind(Box::new("this panic is resumed")),
        "log" => tracing::warn!(attempt = 3, "two\nlines"),
        "flood" => (0..FLOOD).for_each(|i| tracing::warn!("{i} {}", "x".repeat(1000))),
        "print forever" => loop {
            println!("{}", "x".repeat(1000));
        },
        "block" => std::thread::sleep(Duration::from_secs(1)),
        "block for seconds" => std::thread::sleep(Duration::from_secs(2)),
        "compute" => compute(),
        "block forever" => loop {
            std::thread::park();
        },
        "task" => {
            let task = tokio::spawn(async { panic!("a task\npanicked") });
            assert!(
                task.await
                    .is_err_and(|error: tokio::task::JoinError| error.is_panic())
            );
        }
        "together" => {
            BARRIER.wait().await;
        }
        "hang" => std::future::pending().await,
        // Wait for a line on standard input.
        "hold" => {
            tokio::task::spawn_blocking(|| stdin().lock().read_line(&mut String::new())).await??;
        }
        _ => {}
    }
    println!("handled {}", invocation.trace_id);
    Ok(())
}
