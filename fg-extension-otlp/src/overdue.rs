//! Emits spans whose missing events do not arrive in time, even if no other event arrives.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use fg_extension::Error;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::translate::{MAX_WAIT, Translated, Translator, lock};

/// A task that waits for the next deadline of the translator.
///
/// Dropping this aborts the task.
pub(crate) struct OverdueSpans {
    changed: Arc<Notify>,
    task: Mutex<JoinSet<()>>,
}

impl OverdueSpans {
    /// Starts the task. `emit` is called with what is emitted.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no Tokio runtime.
    pub(crate) fn start(
        translator: Arc<Mutex<Translator>>,
        emit: impl Fn(Translated) + Send + 'static,
    ) -> Result<Self, Error> {
        let changed = Arc::new(Notify::new());
        let mut task = JoinSet::new();
        let run = run(translator, Arc::clone(&changed), emit);
        task.spawn_on(run, &Handle::try_current()?);
        Ok(Self {
            changed,
            task: Mutex::new(task),
        })
    }

    /// Notifies the task that the deadline may have changed.
    pub(crate) fn update(&self) {
        self.changed.notify_one();
    }

    /// Stops the task, and waits until it has stopped.
    pub(crate) async fn stop(&self) {
        let mut task = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *task)
        };
        task.shutdown().await;
    }
}

async fn run(
    translator: Arc<Mutex<Translator>>,
    changed: Arc<Notify>,
    emit: impl Fn(Translated) + Send + 'static,
) {
    loop {
        let deadline = lock(&translator).next_deadline();
        let Some(deadline) = deadline else {
            changed.notified().await;
            continue;
        };
        // Limited, because the clock may be set back.
        let wait = deadline.duration_since(SystemTime::now());
        let wait = wait.unwrap_or_default().min(MAX_WAIT);
        if timeout(wait, changed.notified()).await.is_ok() {
            continue;
        }
        let mut out = Translated::default();
        lock(&translator).emit_complete(SystemTime::now(), &mut out);
        if out.has_counted {
            emit(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    use super::*;
    use crate::config::ResourceConfig;
    use crate::translate::FunctionInfo;

    fn translate(translator: &Mutex<Translator>, event: &Value) -> Translated {
        let event = serde_json::from_value(event.clone()).unwrap();
        let mut out = Translated::default();
        lock(translator).translate(&event, SystemTime::now(), &mut out);
        out
    }

    #[tokio::test]
    async fn invocation_without_a_report_is_emitted_soon() {
        let translator = Translator::new(
            FunctionInfo::default(),
            ResourceConfig::default(),
            "instance".to_owned(),
            SystemTime::now(),
        );
        let translator = Arc::new(Mutex::new(translator));
        let (sender, mut emitted) = mpsc::unbounded_channel();
        let emit = move |out: Translated| sender.send(out.spans).unwrap();
        let overdue = OverdueSpans::start(Arc::clone(&translator), emit).unwrap();
        for id in ["1", "2"] {
            for name in ["platform.start", "platform.runtimeDone"] {
                let out = translate(&translator, &json!({"name": name, "traceId": id}));
                assert_eq!(out.spans, []);
            }
            overdue.update();
            let spans = emitted.recv().await.unwrap();
            assert_eq!(spans.len(), 1);
        }
        overdue.stop().await;
        assert_eq!(emitted.recv().await, None);
    }
}
