//! Signals that a simulation raises.

use tokio::sync::watch;

thread_local! {
    static RAISED: watch::Sender<Option<&'static str>> = watch::Sender::new(None);
}

pub(crate) fn raise(name: &'static str) {
    RAISED.with(|raised| raised.send_replace(Some(name)));
}

pub(crate) struct Signals(watch::Receiver<Option<&'static str>>);

impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self(RAISED.with(watch::Sender::subscribe)))
    }

    pub(crate) async fn recv(&mut self) -> &'static str {
        let raised = self.0.wait_for(Option::is_some).await;
        raised.ok().and_then(|name| *name).unwrap_or("SIGTERM")
    }
}
