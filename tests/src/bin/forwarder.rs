//! An extension on an `impl` block, with state and a shutdown. The variables `INIT` and `SHUTDOWN` select failures.

use std::io::{BufRead, stdin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fg_extension::{Error, Invocation, Registration, TelemetryEvent, extension};

struct Forwarder {
    function: String,
    invocations: AtomicUsize,
}

/// Prints a line when it is dropped.
struct Guard;

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped a bomb");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        println!("dropped");
    }
}

#[extension(name = "extensionForwarder.sh", port = 8081, timeout = "2s")]
impl Forwarder {
    #[init]
    async fn connect(registration: &Registration) -> Result<Self, Error> {
        println!("init");
        match variable("INIT").as_str() {
            "fail" => Err("cannot load\nthe secrets")?,
            "panic" => panic!("cannot load the secrets"),
            "hang" => std::future::pending().await,
            "block" => std::thread::sleep(Duration::from_secs(1)),
            "ask" => {
                stdin().lock().read_line(&mut String::new())?;
            }
            _ => {}
        }
        Ok(Self {
            function: registration.function_name.clone().unwrap_or_default(),
            invocations: AtomicUsize::new(0),
        })
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        let guard = Guard;
        println!("invoked {}", invocation.trace_id);
        match invocation.trace_id.as_str() {
            // Takes longer than its timeout and the shutdown timeout.
            "hang" => std::future::pending().await,
            "bomb" => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            // Blocks the thread for longer than its timeout.
            "block" => std::thread::sleep(Duration::from_secs(3)),
            // Wait for a line on standard input.
            "hold" => {
                tokio::task::spawn_blocking(|| stdin().lock().read_line(&mut String::new()))
                    .await??;
            }
            _ => {}
        }
        std::mem::forget(guard);
        self.invocations.fetch_add(1, Ordering::Relaxed);
        println!("handled {}", invocation.trace_id);
        Ok(())
    }

    #[telemetry(port = 8082, types(platform, function))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        println!("{} events", events.len());
        Ok(())
    }

    #[shutdown]
    async fn flush(&self) -> Result<(), std::io::Error> {
        let invocations = self.invocations.load(Ordering::Relaxed);
        println!("shutdown of {} after {invocations}", self.function);
        match variable("SHUTDOWN").as_str() {
            "fail" => Err(std::io::Error::other("the disk is full")),
            "panic" => panic!("the disk is full"),
            "hang" => std::future::pending().await,
            "block" => {
                std::thread::sleep(Duration::from_secs(1));
                Ok(())
            }
            "bomb" => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
