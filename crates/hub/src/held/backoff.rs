//! When a feed that has broken is opened again.

use super::jitter::Jitter;
use crate::Millis;

/// The range of the first delay, in milliseconds. If an object is replaced, all its feeds break at the same time.
const FIRST_DELAY: (u32, u32) = (10, 200);

/// The longest delay, in milliseconds.
const MAX_DELAY: u32 = 5_000;

/// The longest delay after the client was told, in milliseconds.
const MAX_DELAY_TOLD: u32 = 15_000;

/// How long the stream waits for a feed before its client is told, in milliseconds.
const GIVE_UP: Millis = 30_000;

/// The attempts to open a feed again since it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    since: Millis,
    attempts: u32,
    was_told: bool,
}

impl Backoff {
    /// The feed has broken at `now`.
    pub fn new(now: Millis) -> Self {
        Self {
            since: now,
            attempts: 0,
            was_told: false,
        }
    }

    /// The feed could not be opened at `now`, and the client was told. The first delay is as long
    /// as after five failed attempts.
    pub fn told(now: Millis) -> Self {
        Self {
            attempts: 5,
            was_told: true,
            ..Self::new(now)
        }
    }

    /// Returns the time of the next attempt. Each delay is about twice as long as the one before.
    pub fn next_attempt(&mut self, jitter: &mut Jitter, now: Millis) -> Millis {
        let (least, most) = FIRST_DELAY;
        let max = if self.was_told {
            MAX_DELAY_TOLD
        } else {
            MAX_DELAY
        };
        let most = most.saturating_mul(1 << self.attempts.min(10)).min(max);
        let least = if self.attempts == 0 { least } else { most / 2 };
        let delay = jitter.between((least, most));
        self.attempts = self.attempts.saturating_add(1);
        now.saturating_add(delay.into())
    }

    /// Returns the time at which the client is told, if it was not.
    pub fn gives_up_at(&self) -> Option<Millis> {
        (!self.was_told).then(|| self.since.saturating_add(GIVE_UP))
    }

    /// Notes that the client was told.
    pub fn note_told(&mut self) {
        self.was_told = true;
    }

    /// Notes that the feed is open at `now`, and that the client was told so. If the feed breaks soon, the client is
    /// told after another while.
    pub fn note_recovered(&mut self, now: Millis) {
        self.was_told = false;
        self.since = now;
    }

    /// Whether the client was told.
    pub fn was_told(&self) -> bool {
        self.was_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_five_seconds() {
        let mut jitter = Jitter::new(7);
        let mut backoff = Backoff::new(0);
        let mut delay = || backoff.next_attempt(&mut jitter, 1_000) - 1_000;
        assert!((10..=200).contains(&delay()));
        assert!((200..=400).contains(&delay()));
        assert!((400..=800).contains(&delay()));
        for _ in 0..20 {
            delay();
        }
        assert!((2_500..=5_000).contains(&delay()));
    }
}
