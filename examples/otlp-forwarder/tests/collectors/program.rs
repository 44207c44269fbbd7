//! A collector that prints what it receives.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::{Result, TEST_TIMEOUT};

pub(crate) struct Program {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) printed: String,
}

impl Program {
    /// Starts a program, and waits until it listens.
    pub(crate) async fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let mut process = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let stdout = process.stdout.take().ok_or("stdout is not piped")?;
        wait_until_listening(address).await?;
        Ok(Self {
            process,
            lines: BufReader::new(stdout).lines(),
            printed: String::new(),
        })
    }

    /// Waits until the program has printed all texts.
    pub(crate) async fn wait_for(&mut self, texts: &[String]) -> Result<()> {
        for text in texts {
            self.wait_until(text, |printed| printed.contains(text))
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn wait_until(
        &mut self,
        description: &str,
        condition: impl Fn(&str) -> bool,
    ) -> Result<()> {
        while !condition(&self.printed) {
            let Ok(line) = timeout(TEST_TIMEOUT, self.lines.next_line()).await else {
                panic!(
                    "timed out waiting for\n{description}\nthe collector printed\n{}",
                    self.printed
                );
            };
            self.printed.push_str(&line?.ok_or("the collector exited")?);
            self.printed.push('\n');
        }
        Ok(())
    }

    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Waits until a program listens, which the programs do not report.
pub(crate) async fn wait_until_listening(address: SocketAddr) -> Result<()> {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    // Some of them take long to start.
    Ok(timeout(6 * TEST_TIMEOUT, connects).await?)
}
