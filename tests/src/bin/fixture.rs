//! An extension that does what the trace id says.

use std::io::{BufRead, stdin};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::LazyLock;

use fg_extension::{Error, Invocation, extension};
use tokio::sync::Barrier;

/// How many `together` invocations must be in flight at once, for any of them to end.
const TOGETHER: usize = 64;
static BARRIER: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(TOGETHER));

const FIRST_PORT: u16 = 8080;

/// An error that panics when it is printed.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("there are no words")
    }
}

impl std::error::Error for Unspeakable {}

/// The port is an expression, and the function is called `main`: both are fine.
#[extension(name = "extensionFixture.sh", port = FIRST_PORT + 1)]
async fn main(invocation: Invocation) -> Result<(), Error> {
    println!("invoked {}", invocation.trace_id);
    match invocation.trace_id.as_str() {
        "error" => Err("this one went wrong")?,
        "lines" => Err("two\nlines")?,
        "panic" => panic!("this one panicked"),
        "panic in words" => Err(Unspeakable)?,
        "caught" => drop(catch_unwind(|| panic!("nobody hears this one"))),
        "resumed" => resume_unwind(Box::new("this one was panicked before")),
        "log" => tracing::warn!(answer = 42, "a line\nof the author's"),
        "together" => {
            BARRIER.wait().await;
        }
        // Until a line comes on standard input.
        "hold" => {
            tokio::task::spawn_blocking(|| stdin().lock().read_line(&mut String::new())).await??;
        }
        _ => {}
    }
    println!("handled {}", invocation.trace_id);
    Ok(())
}
