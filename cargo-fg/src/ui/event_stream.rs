//! The server-sent events of the page: the entries of the journal as they are added, and the state of the controls.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::state::PageState;
use crate::journal::{Chunk, Journal};

/// The size of a message, which is also what is in memory for a client that does not read.
const CHUNK_BYTES: usize = 256 * 1024;
/// What happens within this time is sent in one message.
const MERGE_WINDOW: Duration = Duration::from_millis(20);
/// The time after which a comment shows that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a stream reads from.
#[derive(Clone)]
pub(super) struct EventSource {
    pub(super) journal: Arc<Journal>,
    pub(super) state: watch::Receiver<PageState>,
    /// Whether the server is shutting down.
    pub(super) closing: watch::Receiver<bool>,
}

/// The body of the response. The next message is only created when the one before it has been written to the connection.
pub(super) struct EventStream {
    next: Option<NextMessage>,
}

type NextMessage = Pin<Box<dyn Future<Output = Option<(String, Messages)>> + Send>>;

/// The messages that have not been sent yet.
struct Messages {
    source: EventSource,
    last_id: u64,
    is_first: bool,
    is_closing: bool,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// Creates a stream that starts after the entry with this ID.
    pub(super) fn new(source: EventSource, after: u64, permit: OwnedSemaphorePermit) -> Self {
        let messages = Messages {
            source,
            last_id: after,
            is_first: true,
            is_closing: false,
            _permit: permit,
        };
        Self {
            next: Some(Box::pin(messages.next())),
        }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let message = ready!(next.as_mut().poll(cx));
        let (text, next) = message.unzip();
        self.next = next.map(|messages| Box::pin(messages.next()) as NextMessage);
        Poll::Ready(text.map(|text| Ok(Frame::data(text.into()))))
    }
}

impl Messages {
    /// Waits for the next message. Returns `None` once the server is shutting down and everything has been sent.
    async fn next(mut self) -> Option<(String, Self)> {
        if self.is_first {
            self.is_first = false;
            // Browsers wait this long before they connect again.
            let text = format!("retry: 1000\n{}", self.state());
            return Some((text, self));
        }
        loop {
            if let Some(text) = self.available() {
                return Some((text, self));
            }
            if self.is_closing {
                return None;
            }
            let EventSource {
                journal,
                state,
                closing,
            } = &mut self.source;
            let is_idle = tokio::select! {
                () = journal.wait_after(self.last_id) => false,
                () = changed(state) => false,
                () = closed(closing) => {
                    self.is_closing = true;
                    continue;
                }
                () = tokio::time::sleep(KEEP_ALIVE) => true,
            };
            if is_idle {
                return Some((": alive\n\n".to_owned(), self));
            }
            tokio::select! {
                () = tokio::time::sleep(MERGE_WINDOW) => {}
                () = closed(closing) => self.is_closing = true,
            }
        }
    }

    /// Returns the events that can be sent now.
    fn available(&mut self) -> Option<String> {
        let mut text = match self.source.state.has_changed() {
            Ok(true) => self.state(),
            Ok(false) | Err(_) => String::new(),
        };
        let Chunk {
            entries,
            last_id,
            dropped,
        } = self.source.journal.read_after(self.last_id, CHUNK_BYTES);
        self.last_id = last_id;
        if dropped > 0 {
            let _ = write!(text, "event: dropped\ndata: {{\"entries\":{dropped}}}\n\n");
        }
        if !entries.is_empty() {
            let session = self.source.journal.session();
            let _ = write!(text, "event: entries\nid: {session}/{last_id}\ndata: [");
            // JSON has no line breaks, so this is one line.
            text += &entries.join(",");
            text += "]\n\n";
        }
        (!text.is_empty()).then_some(text)
    }

    fn state(&mut self) -> String {
        let state = self.source.state.borrow_and_update().json();
        format!("event: state\ndata: {state}\n\n")
    }
}

/// Returns the ID after which a stream starts: that of `Last-Event-ID`, or else that of the query. An ID of another session
/// does not count, since the run that the client has seen is over.
pub(super) fn start_after(session: &str, last_event_id: Option<&str>, query: Option<&str>) -> u64 {
    let (other_session, id) = match last_event_id {
        Some(last_event_id) => last_event_id.split_once('/').unwrap_or_default(),
        None => {
            let pair = query_value(query, "session").zip(query_value(query, "after"));
            pair.unwrap_or_default()
        }
    };
    match other_session == session {
        true => id.parse().unwrap_or_default(),
        false => 0,
    }
}

/// Returns the value of this name in a query.
pub(super) fn query_value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Waits until the server shuts down.
pub(super) async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Waits until the state changes; forever if nothing can change it anymore.
async fn changed(state: &mut watch::Receiver<PageState>) {
    if state.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    // `available` reads the change.
    state.mark_changed();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use http_body_util::BodyExt;
    use tokio::sync::{Semaphore, watch};

    use super::{EventSource, EventStream, KEEP_ALIVE, start_after};
    use crate::journal::{Entry, Journal};
    use crate::ui::state::{PageMode, PageState};

    struct Fixture {
        journal: Arc<Journal>,
        state: watch::Sender<PageState>,
        closing: watch::Sender<bool>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                journal: Arc::new(Journal::new()),
                state: watch::Sender::new(PageState::without_controls(PageMode::Dev)),
                closing: watch::Sender::new(false),
            }
        }

        fn log(&self, text: &str) {
            let (row, stream) = ("function", "stdout");
            self.journal
                .add(Instant::now(), Entry::Log { row, stream, text });
        }

        fn stream(&self, after: u64) -> EventStream {
            let source = EventSource {
                journal: Arc::clone(&self.journal),
                state: self.state.subscribe(),
                closing: self.closing.subscribe(),
            };
            let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            EventStream::new(source, after, permit)
        }
    }

    async fn next(stream: &mut EventStream) -> Option<String> {
        let frame = stream.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn entries_follow_the_state() {
        let fixture = Fixture::new();
        fixture.log("a\nb");
        let mut stream = fixture.stream(0);
        let first = next(&mut stream).await.unwrap();
        assert!(
            first.starts_with("retry: 1000\nevent: state\ndata: {\"mode\":\"dev\",")
                && first.ends_with("}\n\n"),
            "{first}"
        );
        let entries = next(&mut stream).await.unwrap();
        let session = fixture.journal.session();
        let start = format!("event: entries\nid: {session}/1\ndata: [{{\"id\":1,");
        assert!(
            entries.starts_with(&start) && entries.ends_with("\"a\\nb\"}]\n\n"),
            "{entries}"
        );
        // What happens in short succession is in one message.
        let (second, ()) = tokio::join!(next(&mut stream), async {
            fixture.log("c");
            tokio::task::yield_now().await;
            fixture.log("d");
            fixture.state.send_modify(|state| state.frozen = true);
        });
        let second = second.unwrap();
        assert!(second.starts_with("event: state\n"), "{second}");
        assert!(second.contains("\"frozen\":true"), "{second}");
        assert!(second.contains(&format!("id: {session}/3\n")), "{second}");
        assert_eq!(
            second
                .lines()
                .filter(|line| line.starts_with("data: "))
                .count(),
            2
        );
    }

    #[tokio::test(start_paused = true)]
    async fn stream_resumes_after_an_entry() {
        let fixture = Fixture::new();
        fixture.log("a");
        fixture.log("b");
        let mut stream = fixture.stream(1);
        next(&mut stream).await;
        let entries = next(&mut stream).await.unwrap();
        assert!(entries.contains("data: [{\"id\":2,"), "{entries}");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_are_kept_alive() {
        let fixture = Fixture::new();
        let mut stream = fixture.stream(0);
        next(&mut stream).await;
        let start = tokio::time::Instant::now();
        assert_eq!(next(&mut stream).await.unwrap(), ": alive\n\n");
        assert_eq!(start.elapsed(), KEEP_ALIVE);
        // A state that cannot change anymore is no reason to send something.
        let Fixture { state, .. } = fixture;
        drop(state);
        assert_eq!(next(&mut stream).await.unwrap(), ": alive\n\n");
        assert_eq!(start.elapsed(), 2 * KEEP_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn last_entries_are_sent_before_the_end() {
        let fixture = Fixture::new();
        let mut stream = fixture.stream(0);
        next(&mut stream).await;
        fixture.log("last");
        fixture.closing.send_replace(true);
        let entries = next(&mut stream).await.unwrap();
        assert!(entries.contains("\"last\""), "{entries}");
        assert_eq!(next(&mut stream).await, None);
        assert_eq!(next(&mut stream).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_have_a_bounded_size() {
        let fixture = Fixture::new();
        let text = "x".repeat(100 * 1024);
        (0..10).for_each(|_| fixture.log(&text));
        let mut stream = fixture.stream(0);
        next(&mut stream).await;
        let mut messages = 0;
        let last = format!("id: {}/10\n", fixture.journal.session());
        loop {
            let message = next(&mut stream).await.unwrap();
            messages += 1;
            assert!(message.len() < 257 * 1024);
            if message.contains(&last) {
                break;
            }
        }
        assert_eq!(messages, 5);
    }

    #[test]
    fn stream_starts_after_the_last_event_of_this_session() {
        for (last_event_id, query, expected) in [
            (None, None, 0),
            (None, Some("session=s&after=7"), 7),
            (None, Some("after=7&session=s"), 7),
            (None, Some("after=7"), 0),
            (None, Some("session=other&after=7"), 0),
            (None, Some("session=s&after=x"), 0),
            (Some("s/9"), Some("session=s&after=7"), 9),
            (Some("other/9"), Some("session=s&after=7"), 0),
            (Some("9"), Some("session=s&after=7"), 0),
            (Some("s/"), None, 0),
        ] {
            let after = start_after("s", last_event_id, query);
            assert_eq!(after, expected, "{last_event_id:?} {query:?}");
        }
    }
}
