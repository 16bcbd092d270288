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
            number: number(&header[5..13])? as u32,
            at: Duration::from_nanos(number(&header[14..])?),
        })
    }
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
