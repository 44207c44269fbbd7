//! An extension that subscribes to all telemetry, and prints it. With `HANDLER=ask` a line on standard input
//! says how each call goes.

use std::io::{BufRead, stdin};
use std::sync::atomic::{AtomicUsize, Ordering};

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};

struct Telemetry {
    calls: AtomicUsize,
    counters: TelemetryCounters,
}

#[extension(name = "extensionTelemetry.sh", port = 8081)]
impl Telemetry {
    #[init]
    async fn new(registration: &Registration) -> Self {
        Self {
            calls: AtomicUsize::new(0),
            counters: registration.telemetry.clone(),
        }
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        println!("{:?}", self.counters);
    }

    #[telemetry(port = 8082, types(platform, function, extension))]
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        println!("call {call}: {}", serde_json::to_value(&events)?);
        let answer = match std::env::var("HANDLER").as_deref() {
            Ok("ask") => {
                let mut line = String::new();
                tokio::task::spawn_blocking(move || {
                    stdin().lock().read_line(&mut line).map(|_| line)
                })
                .await??
            }
            Ok(other) => other.to_owned(),
            Err(_) => String::new(),
        };
        match answer.trim() {
            "fail" => Err("the backend\nis down")?,
            "panic" => panic!("no backend"),
            "hang" => std::future::pending().await,
            _ => {}
        }
        println!("done {call}");
        Ok(())
    }

    #[shutdown]
    async fn end(&self) -> Result<(), Error> {
        println!("shutdown, {:?}", self.counters);
        if std::env::var("SHUTDOWN").is_ok() {
            Err("the disk is full")?;
        }
        Ok(())
    }
}
