//! The second thread of a simulation, which is a task.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::lifecycle::Lifecycle;
use crate::lifecycle::entry::EndProcess;
use crate::lifecycle::witness::{TICK, Ticks};

pub(crate) fn start(_: &Arc<Lifecycle>, _: Duration, _: Option<EndProcess>) {
    let ticks = Ticks::start();
    tokio::spawn(async move {
        loop {
            ticks.tick();
            sleep(TICK).await;
        }
    });
}
