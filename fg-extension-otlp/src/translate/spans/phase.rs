//! The phases of an instance's lifecycle that platform events are about.

use fg_extension::PlatformEvent;

/// A phase that becomes a span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Init,
    Restore,
    Invocation,
}

/// The three events of a phase (D 2711).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Start,
    RuntimeDone,
    Report,
}

impl Phase {
    /// Returns the phase and the stage of a platform event, or `None` if its subtype is unknown.
    pub(crate) fn of(event: &PlatformEvent) -> Option<(Self, Stage)> {
        Some(match event {
            PlatformEvent::InitStart(_) => (Self::Init, Stage::Start),
            PlatformEvent::InitRuntimeDone(_) => (Self::Init, Stage::RuntimeDone),
            PlatformEvent::InitReport(_) => (Self::Init, Stage::Report),
            PlatformEvent::RestoreStart(_) => (Self::Restore, Stage::Start),
            PlatformEvent::RestoreRuntimeDone(_) => (Self::Restore, Stage::RuntimeDone),
            PlatformEvent::RestoreReport(_) => (Self::Restore, Stage::Report),
            PlatformEvent::Start(_) => (Self::Invocation, Stage::Start),
            PlatformEvent::RuntimeDone(_) => (Self::Invocation, Stage::RuntimeDone),
            PlatformEvent::Report(_) => (Self::Invocation, Stage::Report),
            _ => return None,
        })
    }
}
