//! The limit on publishes per second: a token bucket that holds the tokens of one second. Pure.

use sse_hub::Millis;

/// The units that one publish takes. Each millisecond adds `per_second` units.
const UNITS: u64 = 1_000;

/// A token bucket, which is full at first.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: u64,
    units: u64,
    filled_at: Millis,
}

impl TokenBucket {
    /// A bucket that permits `per_second` publishes per second, and bursts of the same size.
    pub fn new(per_second: u64, now: Millis) -> Self {
        Self {
            per_second,
            units: per_second.saturating_mul(UNITS),
            filled_at: now,
        }
    }

    /// The permitted publishes per second.
    pub fn per_second(&self) -> u64 {
        self.per_second
    }

    /// Takes the tokens of one publish. Returns `false` if there are too few.
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
    fn a_burst_of_one_second_is_permitted_and_then_only_the_rate() {
        let mut bucket = TokenBucket::new(3, 5_000);
        let taken = |bucket: &mut TokenBucket, now| (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, 5_000), 3);
        assert_eq!(taken(&mut bucket, 5_333), 0);
        assert_eq!(taken(&mut bucket, 5_334), 1);
        assert_eq!(
            taken(&mut bucket, 60_000),
            3,
            "the bucket holds no more than one second"
        );
    }

    #[test]
    fn the_permitted_publishes_over_time_match_the_rate_exactly() {
        let mut bucket = TokenBucket::new(7, 0);
        let taken = (0..10_000).filter(|now| bucket.take(*now)).count();
        assert_eq!(taken, 7 + 69);
    }
}
