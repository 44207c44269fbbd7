//! The end of a run: writes its files, and serves the page so that the result can be looked at.

use tokio::task::spawn_blocking;

use super::super::event::DevEvent;
use super::super::keyboard::{Key, Keyboard};
use super::super::page::PageEvent;
use super::{DevLoop, next_key};
use crate::journal::Entry;
use crate::signals::ShutdownSignals;
use crate::ui::{PageRequest, export};

const ENDED: &str = "the run has ended; start cargo fg dev again";

/// The keys that have a meaning after the run.
const HELP: &str = "o page, q quit";

impl DevLoop {
    /// Adds the last entry to the journal, and writes the rest of the recording and the export. Returns the outcome of the run.
    pub(super) async fn write_files(
        &mut self,
        mut outcome: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if let Some(journal) = self.output.journal() {
            let message = outcome.as_ref().err().map(|error| format!("{error:#}"));
            journal.add_now(Entry::End {
                ok: outcome.is_ok(),
                message: message.as_deref(),
            });
        }
        let recorded = match self.recorder.take() {
            Some(recorder) => recorder.finish().await,
            None => Ok(()),
        };
        for written in [recorded, self.write_export().await] {
            match written {
                // The failure of the run is more important.
                Err(error) if outcome.is_err() => self.output.warn(&format!("{error:#}")),
                Err(error) => outcome = Err(error),
                Ok(()) => {}
            }
        }
        outcome
    }

    async fn write_export(&self) -> anyhow::Result<()> {
        let (Some(path), Some(journal)) = (self.export.clone(), self.output.journal().cloned())
        else {
            return Ok(());
        };
        let shown = path.display().to_string();
        let left_out = spawn_blocking(move || export::write(&path, &journal)).await??;
        if let Some(message) = left_out.message() {
            self.output.warn(&message);
        }
        self.output.emit(DevEvent::Exported { file: shown });
        Ok(())
    }

    /// Serves the page until the user exits. Returns at once if no page is served, or if the user has stopped the run.
    pub(super) async fn stay(
        &mut self,
        signals: &mut ShutdownSignals,
        outcome: &anyhow::Result<()>,
    ) {
        self.has_ended = true;
        self.page.publish(self.state());
        let exits = self.quits || signals.have_arrived();
        let Some(url) = self.page.url().filter(|_| !exits) else {
            return;
        };
        // `cargo fg invoke` looks for a `dev` with an instance.
        self.control_server = None;
        self.file_watcher = None;
        if self.has_keys && self.keyboard.is_none() {
            self.keyboard = Keyboard::open().ok();
        }
        if let Err(error) = outcome {
            // It is in the journal as the end of the run, and is printed again when `dev` exits.
            let message = format!("{error:#}");
            self.output.print(DevEvent::Failed { message });
        }
        let keys = match &self.keyboard {
            Some(_) => "q or Ctrl-C",
            None => "Ctrl-C",
        };
        let message = format!("for {keys}; until then, the page stays at {url}");
        self.output.note("waiting", &message);
        loop {
            tokio::select! {
                () = signals.recv() => return,
                () = self.output.closed() => return,
                key = next_key(&mut self.keyboard) => match key {
                    Key::Quit => return,
                    Key::Page => self.page.open_browser(url.clone()),
                    _ => self.output.note("keys", HELP),
                },
                event = self.page.next_event() => match event {
                    PageEvent::Request(PageRequest { reply, .. }) => {
                        // This fails if the client has disconnected.
                        let _ = reply.send(Err(ENDED.to_owned()));
                    }
                    PageEvent::BrowserFailed => self.note_browser_failure(),
                },
            }
        }
    }
}
