//! Times in which the author's code does not do what it should.

use std::time::Duration;

use super::random::Random;

/// What a handler does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Succeed,
    Sleep(Duration),
    Fail,
    Panic,
    Hang,
}

/// A time in which every call of a handler does the same, such as the outage of a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    from: Duration,
    to: Duration,
    act: Act,
}

impl Trouble {
    /// Returns a trouble of any kind. Half of them have no duration.
    pub(super) fn random(random: &mut Random) -> Self {
        let from = random.millis(0..=8000);
        let length = match random.percent(50) {
            true => random.millis(1000..=40_000),
            false => Duration::ZERO,
        };
        let act = match random.within(0..=3) {
            0 => Act::Sleep(random.millis(100..=2500)),
            1 => Act::Fail,
            2 => Act::Panic,
            _ => Act::Hang,
        };
        Self {
            from,
            to: from + length,
            act,
        }
    }

    /// Returns what a handler does that is called now. Without trouble, it mostly succeeds, soon.
    pub(super) fn act(self, now: Duration, random: &mut Random) -> Act {
        let (kind, pause) = (random.within(0..=99), random.millis(1..=300));
        if (self.from..self.to).contains(&now) {
            return self.act;
        }
        match kind {
            0..60 => Act::Succeed,
            60..80 => Act::Sleep(pause),
            80..84 => Act::Sleep(10 * pause),
            84..92 => Act::Fail,
            92..96 => Act::Panic,
            _ => Act::Hang,
        }
    }
}
