//! Epochs, the first half of ids.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::id::UnknownId;
use crate::Millis;

/// The number of characters of an epoch.
pub const EPOCH_CHARS: usize = 13;

/// The digits of Crockford's base32, in ascending order. Source: the ULID specification.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The number of bits of a digit.
const DIGIT_BITS: u32 = 5;

/// The number of bits of the time at which an epoch began. They last until the year 2527.
const BEGAN_BITS: u32 = 44;

/// The number of random bits.
const RANDOM_BITS: u32 = 21;

/// The largest time at which an epoch can begin, in milliseconds since 1970.
const MAX_BEGAN: Millis = (1 << BEGAN_BITS) - 1;

/// A span of dense sequence numbers.
///
/// It is displayed as 65 bits in 13 characters of Crockford's base32: 44 bits of the time at which the epoch began, in
/// milliseconds since 1970, and 21 random bits. So epochs sort by the time at which they began, as values and as text,
/// and two channels whose epochs began in the same millisecond do not accept each other's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    began: Millis,
    random: u32,
}

impl Epoch {
    /// The largest value of the random bits.
    pub const MAX_RANDOM: u32 = (1 << RANDOM_BITS) - 1;

    /// The epoch that begins at `began`, in milliseconds since 1970. Only the lower 21 bits of `random` count.
    pub const fn new(began: Millis, random: u32) -> Self {
        Self {
            began: if began < MAX_BEGAN { began } else { MAX_BEGAN },
            random: random & Self::MAX_RANDOM,
        }
    }

    /// Returns the time at which the epoch began, in milliseconds since 1970.
    pub fn began(self) -> Millis {
        self.began
    }

    /// Returns the random bits.
    pub fn random(self) -> u32 {
        self.random
    }

    /// Returns this epoch, or one that begins a millisecond after `previous` if the clock stands still or was set back.
    #[must_use]
    pub fn after(self, previous: Self) -> Self {
        Self::new(
            self.began.max(previous.began.saturating_add(1)),
            self.random,
        )
    }

    /// The digits of the displayed number, as text in ASCII.
    fn digits(self) -> [u8; EPOCH_CHARS] {
        let digit = |bits: u64| *DIGITS.get((bits & 31) as usize).unwrap_or(&b'0');
        // The number has 65 bits. The first digit is taken from the time, so that the other digits fit into 64 bits.
        let mut rest = (self.began << RANDOM_BITS) | u64::from(self.random);
        let mut digits = [digit(self.began >> (BEGAN_BITS - DIGIT_BITS)); EPOCH_CHARS];
        for place in digits.iter_mut().skip(1).rev() {
            *place = digit(rest);
            rest >>= DIGIT_BITS;
        }
        digits
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ASCII is valid UTF-8, so there is always a text.
        f.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl FromStr for Epoch {
    type Err = UnknownId;

    /// Accepts exactly what [`Display`](fmt::Display) writes: no small letters, and none of the letters that
    /// Crockford's base32 takes for digits.
    fn from_str(text: &str) -> Result<Self, UnknownId> {
        if text.len() != EPOCH_CHARS {
            return Err(UnknownId);
        }
        let mut number = 0_u128;
        for character in text.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == character);
            number = (number << DIGIT_BITS) | digit.ok_or(UnknownId)? as u128;
        }
        Ok(Self {
            began: (number >> RANDOM_BITS) as Millis,
            random: number as u32 & Self::MAX_RANDOM,
        })
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_epoch_is_displayed_with_13_digits() {
        assert_eq!(Epoch::new(0, 0).to_string(), "0000000000000");
        assert_eq!(Epoch::new(0, 31).to_string(), "000000000000Z");
        assert_eq!(Epoch::new(0, 32).to_string(), "0000000000010");
        assert_eq!(Epoch::new(1, 0).to_string(), "0000000020000");
        assert_eq!(Epoch::new((1 << 39) - 1, 0).to_string(), "0ZZZZZZZY0000");
        assert_eq!(Epoch::new(1 << 39, 0).to_string(), "1000000000000");
        assert_eq!(Epoch::new(u64::MAX, u32::MAX).to_string(), "ZZZZZZZZZZZZZ");
    }

    #[test]
    fn an_epoch_after_another_begins_later_whatever_the_clock_says() {
        let previous = Epoch::new(1_000, 7);
        assert_eq!(Epoch::new(2_000, 3).after(previous), Epoch::new(2_000, 3));
        for began in [0, 999, 1_000] {
            assert_eq!(Epoch::new(began, 9).after(previous), Epoch::new(1_001, 9));
        }
    }

    #[test]
    fn only_the_displayed_form_of_an_epoch_is_parsed() {
        let epoch = Epoch::new(1_795_354_163_077, 0x0A_BCDE);
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        for other in [
            "",
            "000000000000",
            "00000000000000",
            "000000000000a",
            "000000000000I",
            "000000000000L",
            "000000000000O",
            "000000000000U",
            "000000000000 ",
            "+000000000000",
            "00000000000\u{e9}",
        ] {
            assert_eq!(other.parse::<Epoch>(), Err(UnknownId), "{other}");
        }
    }

    proptest! {
        #[test]
        fn epochs_sort_by_their_beginning_as_values_and_as_text(
            began in 0..=MAX_BEGAN,
            later in 0..=MAX_BEGAN,
            random in any::<u32>(),
            other_random in any::<u32>(),
        ) {
            let (a, b) = (Epoch::new(began, random), Epoch::new(later, other_random));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            if began != later {
                prop_assert_eq!(a.cmp(&b), began.cmp(&later));
            }
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.began(), began);
        }
    }
}
