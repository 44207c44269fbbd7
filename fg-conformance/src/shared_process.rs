//! [`SharedProcess`]: the cases that run on the process of the first boot.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::cases::{Budget, CaseId, freeze, invocation, resources, telemetry};
use crate::harness::client::wait_until_listening;
use crate::harness::{Booted, ProcessGroup};
use crate::report::Report;

/// The cases in the order in which they run; those in a row are checked together. The one that is most likely to crash the
/// process is last.
const ORDER: [&[CaseId]; 12] = [
    &[CaseId::Inv01],
    // BUD-02 reads the memory after the concurrent invocations.
    &[CaseId::Inv02, CaseId::Inv07, CaseId::Bud02],
    &[CaseId::Inv03],
    &[CaseId::Inv05],
    &[CaseId::Inv06],
    &[CaseId::Inv08, CaseId::Res02],
    &[CaseId::Frz01],
    &[CaseId::Frz02],
    &[CaseId::Tel01, CaseId::Tel02, CaseId::Tel03, CaseId::Tel04],
    &[CaseId::Res01],
    &[CaseId::Res04],
    &[CaseId::Inv04],
];
/// How long to wait for the exit of a process after a failure, because its connections break before its exit is observed.
const EXIT_OBSERVED_WITHIN: Duration = Duration::from_millis(500);
/// How long an extension may take to respond after a failure, before the other cases are skipped.
const STILL_RESPONDS_WITHIN: Duration = Duration::from_secs(3);

/// A registered extension on which several cases are tested.
pub(crate) struct SharedProcess<'a> {
    pub(crate) booted: &'a Booted,
    pub(crate) address: SocketAddr,
    pub(crate) group: Option<ProcessGroup>,
    pub(crate) budget: &'a Budget,
}

impl SharedProcess<'_> {
    /// Runs the selected cases, until one of them makes the process exit or hang.
    pub(crate) async fn run(&self, report: &mut Report) {
        let mut connections = invocation::Connections::Closed;
        for together in ORDER {
            let is_needed = report.any_pending(|case| {
                together.contains(&case.id) || together.iter().any(|id| id.blocks(case.id))
            });
            if !is_needed {
                continue;
            }
            let id = together[0];
            let (platform, recorder) = (&self.booted.platform, &*self.booted.recorder);
            match id {
                CaseId::Inv01 => {
                    // An extension that fails REG-05 may not be listening yet.
                    if report.is_failed(CaseId::Reg05) && !wait_until_listening(self.address).await
                    {
                        // It listens on another address than it has registered.
                        report.block_shared_process(CaseId::Reg05);
                        report.block_matching(CaseId::Reg05, |case| id.blocks(case.id));
                        return;
                    }
                    if invocation::check_documented(self.address, recorder, report).await {
                        report.block_shared_process(id);
                    }
                }
                CaseId::Inv02 => {
                    invocation::check_concurrent(self.address, recorder, report).await;
                    self.budget.check_memory(self.group, report);
                }
                CaseId::Inv03 => {
                    connections = invocation::check_connections(self.address, report).await;
                }
                CaseId::Inv04 => invocation::check_malformed(self.address, report).await,
                CaseId::Inv05 => invocation::check_unknown_fields(self.address, report).await,
                CaseId::Inv06 => invocation::check_responses(self.address, report).await,
                CaseId::Inv08 => {
                    invocation::check_many(self.address, connections, self.group, report).await;
                }
                CaseId::Frz01 | CaseId::Frz02 => {
                    freeze::check_freeze(id, platform, self.address, report).await;
                }
                CaseId::Res01 => resources::check_idle(self.group, report).await,
                CaseId::Res04 => resources::check_listening(self.group, recorder, report).await,
                _ => telemetry::check_telemetry(platform, recorder, report).await,
            }
            let Some(failed) = report.first_failed(together) else {
                continue;
            };
            if !self.is_working(failed).await {
                report.block_shared_process(failed);
                // What happens during so many events happens during those of END-02, too.
                if failed != CaseId::Inv04 {
                    report.block(failed, CaseId::End02);
                }
            }
            report.block_dependents(failed);
        }
    }

    /// Returns whether the process still runs and responds, so that the failure of this case is not the cause of others.
    async fn is_working(&self, failed: CaseId) -> bool {
        let exit = timeout(EXIT_OBSERVED_WITHIN, self.booted.platform.wait_for_exit());
        if exit.await.is_ok() {
            return false;
        }
        // If even the first invocation has failed, the others are skipped anyway.
        failed == CaseId::Inv01 || invocation::responds(self.address, STILL_RESPONDS_WITHIN).await
    }
}
