//! Where the report goes: a file in /tmp, stdout, and an address if the user names one. Nothing here delays an invocation.

use std::fs;
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::http::post;
use crate::settings::Settings;
use crate::telemetry::{STDERR_LINE, STDOUT_LINE};

/// Begins each printed line of the report, so that it is found in a log.
pub(crate) const PREFIX: &str = "platform-probe|";

/// What to print.
enum Text {
    Stdout(String),
    Stderr(String),
}

/// Prints on a thread of its own, since nobody may read stdout.
pub(crate) struct Output {
    texts: Mutex<Option<SyncSender<Text>>>,
    finished: Mutex<Receiver<()>>,
}

impl Output {
    /// Starts the thread, and prints a line to each stream.
    pub(crate) fn start() -> Self {
        let (texts, received) = sync_channel(4);
        let (finish, finished) = sync_channel(1);
        thread::spawn(move || {
            // Where these streams lead, and whether they lead anywhere, is what the probe is to find out.
            let _ = writeln!(io::stdout(), "{STDOUT_LINE}");
            let _ = writeln!(io::stderr(), "{STDERR_LINE}");
            for text in received {
                let _ = match text {
                    Text::Stdout(text) => io::stdout()
                        .write_all(text.as_bytes())
                        .and_then(|()| io::stdout().flush()),
                    Text::Stderr(text) => writeln!(io::stderr(), "{text}"),
                };
            }
            let _ = finish.send(());
        });
        Self {
            texts: Mutex::new(Some(texts)),
            finished: Mutex::new(finished),
        }
    }

    /// Prints a text, each line with a prefix. It is dropped if earlier texts were not read.
    pub(crate) fn print(&self, text: &str) {
        let lines: String = text
            .lines()
            .map(|line| format!("{PREFIX} {line}").trim_end().to_owned() + "\n")
            .collect();
        self.send(Text::Stdout(lines));
    }

    /// Prints a message to stderr, without waiting for its reader.
    pub(crate) fn error(&self, message: String) {
        self.send(Text::Stderr(message));
    }

    fn send(&self, text: Text) {
        if let Ok(texts) = self.texts.lock()
            && let Some(texts) = texts.as_ref()
        {
            let _ = texts.try_send(text);
        }
    }

    /// Waits until everything is printed, at most this long.
    pub(crate) fn finish(&self, timeout: Duration) {
        if let Ok(mut texts) = self.texts.lock() {
            texts.take();
        }
        if let Ok(finished) = self.finished.lock() {
            let _ = finished.recv_timeout(timeout);
        }
    }
}

/// Replaces the report at once, so that a reader never sees a part of it.
pub(crate) fn write(settings: &Settings, report: &str) -> io::Result<()> {
    let temporary = format!("{}.new", settings.report);
    // A file that another run has left. If it is a link, it is not followed.
    let _ = fs::remove_file(&temporary);
    fs::File::create_new(&temporary)?.write_all(report.as_bytes())?;
    fs::rename(temporary, &settings.report)
}

/// Posts the report to the address that the user has named, if any.
pub(crate) async fn upload(settings: &Settings, report: &str) {
    if let Some(address) = &settings.upload {
        let headers = [("Content-Type", "text/markdown; charset=utf-8")];
        // Where the address cannot be reached, the file and stdout remain.
        let _ = tokio::time::timeout(Duration::from_secs(1), post(address, "/", &headers, report))
            .await;
    }
}
