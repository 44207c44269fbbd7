//! Pins the load generator and the measured process to different CPUs, so that runs are comparable.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Two CPUs, or no pinning on a machine with one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpus(Option<(usize, usize)>);

impl Cpus {
    /// Moves the calling thread, and threads that it starts from now on, to the first CPU.
    pub(crate) fn pin_generator() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cpus = (0..CpuSet::count()).filter(|&it| allowed.is_set(it).unwrap_or(false));
        let cpus = Self(cpus.next().zip(cpus.next()));
        cpus.pin(|(generator, _)| generator)?;
        Ok(cpus)
    }

    /// Calls `spawn` on the second CPU. A process that it starts stays there.
    pub(crate) fn on_the_other<T>(self, spawn: impl FnOnce() -> T) -> anyhow::Result<T> {
        self.pin(|(_, server)| server)?;
        let spawned = spawn();
        self.pin(|(generator, _)| generator)?;
        Ok(spawned)
    }

    pub(crate) fn are_pinned(self) -> bool {
        self.0.is_some()
    }

    fn pin(self, choose: fn((usize, usize)) -> usize) -> anyhow::Result<()> {
        if let Some(cpus) = self.0 {
            let mut set = CpuSet::new();
            set.set(choose(cpus))?;
            sched_setaffinity(Pid::from_raw(0), &set)?;
        }
        Ok(())
    }
}
