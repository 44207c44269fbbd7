//! Sends a line for each invocation to the collector at `COLLECTOR`, before it responds to the invocation.

use std::time::Duration;

use fg_extension::{Error, Invocation, extension, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The longest time that sending may delay an invocation.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(400);

/// The maximum number of lines that wait while the collector is down. If there are more, the oldest are dropped.
const MAX_LINES: usize = 1000;

struct LineSender {
    collector: String,
    unsent: Mutex<Vec<String>>,
}

#[extension(name = "extensionLineSender.sh", port = 8087)]
impl LineSender {
    #[init]
    async fn new() -> Result<Self, Error> {
        let hint = "write an address, such as 127.0.0.1:4000";
        let collector = setting("COLLECTOR")?.ok_or("COLLECTOR is not set; write an address")?;
        if !collector.value().contains(':') {
            return Err(collector.invalid("has no port", hint).into());
        }
        Ok(Self {
            collector: collector.into_value(),
            unsent: Mutex::default(),
        })
    }

    #[invoke]
    async fn on_invoke(&self, invocation: Invocation) {
        self.push(format!("invoked {}\n", invocation.trace_id))
            .await;
        // The instance may be frozen as soon as this returns. Lines that cannot be sent in time wait for the next
        // invocation.
        let _ = timeout(FLUSH_TIMEOUT, self.flush()).await;
    }

    #[shutdown]
    async fn send_the_rest(&self) -> Result<(), Error> {
        self.flush().await
    }

    async fn push(&self, line: String) {
        let mut unsent = self.unsent.lock().await;
        if unsent.len() == MAX_LINES {
            unsent.remove(0);
        }
        unsent.push(line);
    }

    /// Sends all lines. If this fails or is canceled, they are sent again later.
    async fn flush(&self) -> Result<(), Error> {
        let mut unsent = self.unsent.lock().await;
        if unsent.is_empty() {
            return Ok(());
        }
        // A new connection each time: an idle one may not survive a freeze.
        let mut stream = TcpStream::connect(&self.collector).await?;
        stream.write_all(unsent.concat().as_bytes()).await?;
        stream.shutdown().await?;
        // A successful write does not mean that the collector has received the lines, so wait for its response.
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        if response != "ok" {
            return Err(format!("the collector responded with `{response}`").into());
        }
        unsent.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_wait_for_a_collector_that_is_down() {
        let sender = LineSender {
            // Nothing listens on this port.
            collector: "127.0.0.1:1".to_owned(),
            unsent: Mutex::default(),
        };
        let urn = "urn:fss:cn-north-4:0a1b:function:default:hello";
        sender.on_invoke(Invocation::new("1", urn)).await;
        sender.on_invoke(Invocation::new("2", urn)).await;
        assert_eq!(*sender.unsent.lock().await, ["invoked 1\n", "invoked 2\n"]);
        assert!(sender.send_the_rest().await.is_err());
    }
}
