//! The data of the events: the publisher, the number and the time.

use std::fmt::Write;
use std::time::Duration;

/// The first byte of every event of the load. A server's own events do not begin with it.
const MARK: &[u8] = b"#";

/// The minimum size of an event's data in bytes: the mark, publisher, number and time, with separators.
pub const HEADER: usize = 1 + 4 + 1 + 8 + 1 + 16;

/// The highest number of publishers that fits into the header.
pub const MAX_PUBLISHERS: usize = 9_999;
/// The highest number of events that fits into the header.
pub const MAX_EVENTS: u32 = 99_999_999;

/// One event of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of its publisher, counted from 0.
    pub publisher: usize,
    /// Its number among the events of this publisher, counted from 0.
    pub number: u32,
    /// When it was due to be published, measured from the beginning of the run.
    pub at: Duration,
}

impl Event {
    /// Appends its data of `payload` bytes to `out`.
    pub fn write(&self, payload: usize, out: &mut String) {
        let end = out.len() + payload;
        let nanos = self.at.as_nanos();
        let _ = write!(out, "#{:04} {:08} {nanos:016}", self.publisher, self.number);
        out.extend(std::iter::repeat_n('x', end.saturating_sub(out.len())));
    }

    /// Parses the data of an event. `None` if it is no event of the load.
    pub fn read(data: &[u8]) -> Option<Self> {
        let header = data.strip_prefix(MARK)?.get(..HEADER - 1)?;
        Some(Self {
            publisher: number(&header[..4])? as usize,
            number: eight_digits(header.get(5..13)?)? as u32,
            at: Duration::from_nanos(
                eight_digits(header.get(14..22)?)? * 100_000_000
                    + eight_digits(header.get(22..30)?)?,
            ),
        })
    }
}

/// Parses eight decimal digits at once, because the generator parses millions of events a second. All digits are summed
/// up in pairs, then in fours, then in eights, within one 64-bit number.
fn eight_digits(digits: &[u8]) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let bytes = u64::from_le_bytes(digits.try_into().ok()?);
    // The high half of a digit's byte is 3, also after adding 6 to its low half.
    let high = EACH * 0xf0;
    let digits = EACH * 0x30;
    if bytes & high != digits || bytes.wrapping_add(EACH * 6) & high != digits {
        return None;
    }
    let ones = bytes & (EACH * 0x0f);
    let pairs = (ones.wrapping_mul(10 * 0x100 + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 * 0x1_0000 + 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32)
}

/// Parses decimal digits.
pub fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_parsed_as_the_standard_library_does() {
        for text in ["00000000", "12345678", "99999999", "00000907", "10000000"] {
            assert_eq!(eight_digits(text.as_bytes()), text.parse().ok());
        }
        for wrong in [
            "1234567",
            "123456789",
            "1234567:",
            "/2345678",
            "1234 678",
            "123456\u{ff}",
        ] {
            assert_eq!(eight_digits(wrong.as_bytes()), None, "{wrong}");
        }
        for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
            for place in 0..8 {
                let mut digits = *b"90909090";
                digits[place] = byte;
                assert_eq!(eight_digits(&digits), None, "{digits:?}");
            }
        }
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = Event {
            publisher: 7,
            number: 12_345_678,
            at: Duration::from_nanos(987_654_321_012),
        };
        let mut data = String::new();
        event.write(64, &mut data);
        assert_eq!(data.len(), 64);
        assert_eq!(Event::read(data.as_bytes()), Some(event));
        assert_eq!(Event::read(&data.as_bytes()[1..]), None);
        assert_eq!(Event::read(&data.as_bytes()[..HEADER - 1]), None);
        let mut shortest = String::new();
        event.write(HEADER, &mut shortest);
        assert_eq!(Event::read(shortest.as_bytes()), Some(event));
    }
}
