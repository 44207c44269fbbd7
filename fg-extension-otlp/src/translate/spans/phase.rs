//! Which phase of an instance's lifecycle a platform event is about.

use fg_extension::PlatformEvent;

/// What becomes a span.
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
    /// Returns what a platform event is about; `None` if its subtype is not known.
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
