//! The page of a `dev`: its server, the commands that arrive from it, and the browser that shows it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::journal::Journal;
use crate::ui::{PageContent, PagePort, PageRequest, PageServer, PageState, command_channel};

/// How long the program that opens the browser is observed. Some run as long as the browser does.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(5);

/// The page, whose server may not have been started.
pub(super) struct Page {
    journal: Arc<Journal>,
    server: Option<PageServer>,
    state: watch::Sender<PageState>,
    commands: mpsc::Sender<PageRequest>,
    requests: mpsc::Receiver<PageRequest>,
    /// Receives the result of opening the browser.
    opening: Option<oneshot::Receiver<bool>>,
}

impl Page {
    pub(super) fn new(journal: Arc<Journal>, state: PageState) -> Self {
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
        let content = PageContent {
            journal: Arc::clone(&self.journal),
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

    /// Opens the page in the user's browser. [`browser_failed`](Self::browser_failed) reports a failure.
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

    /// Waits until it is known that no browser could be opened.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(super) async fn browser_failed(&mut self) {
        if let Some(opening) = &mut self.opening {
            let is_open = opening.await.unwrap_or(false);
            self.opening = None;
            if !is_open {
                return;
            }
        }
        std::future::pending().await
    }

    /// Waits for the next command.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no command is lost.
    pub(super) async fn next_request(&mut self) -> PageRequest {
        match self.requests.recv().await {
            Some(request) => request,
            // Unreachable: this struct has a sender.
            None => std::future::pending().await,
        }
    }

    /// Closes the page, after it has received the last entries.
    pub(super) async fn shut_down(self) {
        if let Some(server) = self.server {
            server.shut_down().await;
        }
    }
}
