//! When a feed that has broken is opened again.

use super::jitter::Jitter;
use crate::Millis;

/// The range of the first delay, in milliseconds. If an object is replaced, all its feeds break at the same time.
const FIRST_DELAY: (u32, u32) = (10, 200);

/// The longest delay, in milliseconds.
const MAX_DELAY: u32 = 5_000;

/// How long the stream waits for a feed before its client is told, in milliseconds.
const GIVE_UP: Millis = 30_000;

/// The attempts to open a feed again since it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    since: Millis,
    attempts: u32,
}

impl Backoff {
    /// The feed has broken at `now`.
    pub fn new(now: Millis) -> Self {
        Self {
            since: now,
            attempts: 0,
        }
    }

    /// Returns the time of the next attempt. Each delay is about twice as long as the one before.
    pub fn next_attempt(&mut self, jitter: &mut Jitter, now: Millis) -> Millis {
        let (least, most) = FIRST_DELAY;
        let double = |delay: u32| {
            delay
                .saturating_mul(1 << self.attempts.min(10))
                .min(MAX_DELAY)
        };
        let least = if self.attempts == 0 {
            least
        } else {
            double(most) / 2
        };
        let delay = jitter.between((least, double(most)));
        self.attempts = self.attempts.saturating_add(1);
        now.saturating_add(delay.into())
    }

    /// Returns the time at which the client is told.
    pub fn gives_up_at(&self) -> Millis {
        self.since.saturating_add(GIVE_UP)
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
