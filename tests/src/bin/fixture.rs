//! An extension that does what the trace id says.

use std::io::{BufRead, stdin};
use std::sync::LazyLock;

use fg_extension::{Error, Invocation, extension};
use tokio::sync::Barrier;

/// How many `together` invocations must be in flight at once, for any of them to end.
const TOGETHER: usize = 64;
static BARRIER: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(TOGETHER));

const FIRST_PORT: u16 = 8080;

/// The port is an expression, and the function is called `main`: both are fine.
#[extension(name = "extensionFixture.sh", port = FIRST_PORT + 1)]
async fn main(invocation: Invocation) -> Result<(), Error> {
    println!("invoked {}", invocation.trace_id);
    match invocation.trace_id.as_str() {
        "error" => Err("this one went wrong")?,
        "lines" => Err("two\nlines")?,
        "panic" => panic!("this one panicked"),
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
