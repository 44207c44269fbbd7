//! The page of a `dev`: its server, the commands that arrive from it, and the browser that shows it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot, watch};

use crate::journal::Journal;
use crate::ui::{PageContent, PagePort, PageRequest, PageServer, PageState, command_channel};

/// How long the program that opens the browser is observed. Some run as long as the browser does.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(5);

/// The page, whose server may not have been started.
pub(super) struct Page {
    /// `None` if this run does not need one.
    journal: Option<Arc<Journal>>,
    server: Option<PageServer>,
    state: watch::Sender<PageState>,
    commands: mpsc::Sender<PageRequest>,
    requests: mpsc::Receiver<PageRequest>,
    /// Receives the result of opening the browser.
    opening: Option<oneshot::Receiver<bool>>,
}

/// An event that the loop of `dev` reacts to.
pub(super) enum PageEvent {
    Request(PageRequest),
    /// The browser could not be opened.
    BrowserFailed,
}

impl Page {
    pub(super) fn new(journal: Option<Arc<Journal>>, state: PageState) -> Self {
        let (commands, requests) = command_channel();
        Self {
            journal,
            server: None,
            state: watch::Sender::new(state),
            commands,
            requests,
            opening: None,
        }
    }

    /// Starts the server.
    pub(super) async fn serve(&mut self, port: PagePort) -> anyhow::Result<()> {
        let journal = self.journal.clone();
        let content = PageContent {
            journal: journal.context("cannot serve a page: this run has no journal")?,
            state: self.state.subscribe(),
            commands: Some(self.commands.clone()),
        };
        self.server = Some(PageServer::start(port, content).await?);
        Ok(())
    }

    /// Returns the address of the page if its server runs.
    pub(super) fn url(&self) -> Option<String> {
        self.server.as_ref().map(PageServer::url)
    }

    pub(super) fn is_served(&self) -> bool {
        self.server.is_some()
    }

    /// Sends the state to the open pages if it has changed.
    pub(super) fn publish(&self, state: PageState) {
        self.state.send_if_modified(|current| {
            let changes = *current != state;
            *current = state;
            changes
        });
    }

    /// Opens the page in the user's browser. [`next_event`](Self::next_event) reports a failure.
    pub(super) fn open_browser(&mut self, url: String) {
        let (sender, opening) = oneshot::channel();
        // A thread of its own: the runtime would wait for a blocking task before it shuts down.
        let open = move || {
            let opened = open::that_detached_with_timeout(url, BROWSER_TIMEOUT);
            let _ = sender.send(opened.is_ok());
        };
        let thread = std::thread::Builder::new().name("open-browser".to_owned());
        // If the thread cannot be started, the sender is dropped, which is a failure too.
        let _ = thread.spawn(open);
        self.opening = Some(opening);
    }

    /// Waits for the next event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost.
    pub(super) async fn next_event(&mut self) -> PageEvent {
        let Self {
            requests, opening, ..
        } = self;
        tokio::select! {
            // The channel is not closed, since this struct has a sender.
            Some(request) = requests.recv() => PageEvent::Request(request),
            () = browser_failed(opening) => PageEvent::BrowserFailed,
        }
    }

    /// Closes the page, after it has received the last entries.
    pub(super) async fn shut_down(self) {
        let Self {
            server, requests, ..
        } = self;
        // Commands that still wait for a reply get the response that the run has ended.
        drop(requests);
        if let Some(server) = server {
            server.shut_down().await;
        }
    }
}

/// Waits until it is known that no browser could be opened.
async fn browser_failed(opening: &mut Option<oneshot::Receiver<bool>>) {
    if let Some(receiver) = opening {
        let is_open = receiver.await.unwrap_or(false);
        *opening = None;
        if !is_open {
            return;
        }
    }
    std::future::pending().await
}
