//! The phases of an instance's lifecycle that platform events are about.

use fg_extension::PlatformEventKind;

/// A phase that becomes a span.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Phase {
    Init,
    Restore,
    Invocation,
}

/// The three events of a phase (D 2713).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Start,
    RuntimeDone,
    Report,
}

impl Phase {
    /// Returns a name for this phase, which is also that of the spans of children.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Restore => "restore",
            Self::Invocation => "invocation",
        }
    }

    /// Returns the phase and the stage of a platform event, or `None` if its kind is unknown.
    pub(crate) fn of(kind: PlatformEventKind) -> Option<(Self, Stage)> {
        Some(match kind {
            PlatformEventKind::InitStart => (Self::Init, Stage::Start),
            PlatformEventKind::InitRuntimeDone => (Self::Init, Stage::RuntimeDone),
            PlatformEventKind::InitReport => (Self::Init, Stage::Report),
            PlatformEventKind::RestoreStart => (Self::Restore, Stage::Start),
            PlatformEventKind::RestoreRuntimeDone => (Self::Restore, Stage::RuntimeDone),
            PlatformEventKind::RestoreReport => (Self::Restore, Stage::Report),
            PlatformEventKind::Start => (Self::Invocation, Stage::Start),
            PlatformEventKind::RuntimeDone => (Self::Invocation, Stage::RuntimeDone),
            PlatformEventKind::Report => (Self::Invocation, Stage::Report),
            _ => return None,
        })
    }
}
