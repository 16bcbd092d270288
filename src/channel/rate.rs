//! How many publishes a channel takes: a token bucket that holds one second's worth. Pure.

use sse_hub::Millis;

/// A publish takes so many units, of which each millisecond brings as many as there may be publishes in a second.
const UNITS: u64 = 1_000;

/// A bucket, full at first.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: u64,
    units: u64,
    filled_at: Millis,
}

impl TokenBucket {
    /// One that lets `per_second` publishes through in a second, and as many at once.
    pub fn new(per_second: u64, now: Millis) -> Self {
        Self {
            per_second,
            units: per_second.saturating_mul(UNITS),
            filled_at: now,
        }
    }

    /// How many publishes it lets through in a second.
    pub fn per_second(&self) -> u64 {
        self.per_second
    }

    /// Whether there may be a publish now, which is counted then.
    pub fn take(&mut self, now: Millis) -> bool {
        let passed = now.saturating_sub(self.filled_at);
        let brought = passed.saturating_mul(self.per_second);
        let most = self.per_second.saturating_mul(UNITS);
        self.units = self.units.saturating_add(brought).min(most);
        self.filled_at = now;
        match self.units.checked_sub(UNITS) {
            Some(left) => {
                self.units = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lets_a_burst_through_and_then_so_many_a_second() {
        let mut bucket = TokenBucket::new(3, 5_000);
        let taken = |bucket: &mut TokenBucket, now| (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, 5_000), 3);
        assert_eq!(taken(&mut bucket, 5_333), 0);
        assert_eq!(taken(&mut bucket, 5_334), 1);
        assert_eq!(taken(&mut bucket, 60_000), 3, "no more is saved up");
    }

    #[test]
    fn over_time_none_is_lost_and_none_is_added() {
        let mut bucket = TokenBucket::new(7, 0);
        let taken = (0..10_000).filter(|now| bucket.take(*now)).count();
        assert_eq!(taken, 7 + 69);
    }
}
