//! Random numbers that need not be unpredictable.

/// A generator of random numbers: xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// Returns a number from `least` to `most`.
    pub fn between(&mut self, (least, most): (u32, u32)) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let range = u64::from(most.saturating_sub(least)).saturating_add(1);
        let offset = (self.0 >> 16).checked_rem(range).unwrap_or_default();
        least.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_numbers_of_the_range_occur() {
        let mut jitter = Jitter::new(0);
        let mut seen = [0; 4];
        for _ in 0..1_000 {
            seen[jitter.between((3, 6)) as usize - 3] += 1;
        }
        assert!(seen.iter().all(|count| *count > 200), "{seen:?}");
        assert_eq!(jitter.between((5, 5)), 5);
    }
}
