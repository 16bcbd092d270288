//! What the events carry: who published them, their number, and when.

use std::fmt::Write;
use std::time::Duration;

/// Begins every event of a load, so that a server's own events are told apart.
const MARK: &[u8] = b"#";

/// The bytes of data that an event needs: the mark, publisher, number and time, with separators.
pub const HEADER: usize = 1 + 4 + 1 + 8 + 1 + 16;

/// What the digits of the header have room for.
pub const MAX_PUBLISHERS: usize = 9_999;
pub const MAX_EVENTS: u32 = 99_999_999;

/// One event of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which publisher it is from, counted from 0.
    pub publisher: usize,
    /// Its number at this publisher, counted from 0.
    pub number: u32,
    /// When it was due to be published, since the run began.
    pub at: Duration,
}

impl Event {
    /// Appends its data, `payload` bytes, to `out`.
    pub fn write(&self, payload: usize, out: &mut String) {
        let end = out.len() + payload;
        let nanos = self.at.as_nanos();
        let _ = write!(out, "#{:04} {:08} {nanos:016}", self.publisher, self.number);
        out.extend(std::iter::repeat_n('x', end.saturating_sub(out.len())));
    }

    /// Reads the data of an event. `None` where it is not of a load.
    pub fn read(data: &[u8]) -> Option<Self> {
        let header = data.strip_prefix(MARK)?.get(..HEADER - 1)?;
        Some(Self {
            publisher: number(&header[..4])? as usize,
            number: number(&header[5..13])? as u32,
            at: Duration::from_nanos(number(&header[14..])?),
        })
    }
}

/// A number in decimal digits.
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
    fn what_is_written_is_read() {
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
        let mut least = String::new();
        event.write(HEADER, &mut least);
        assert_eq!(Event::read(least.as_bytes()), Some(event));
    }
}
