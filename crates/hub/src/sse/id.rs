//! The ids of events.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The most bytes that [`write_id`] appends: `id: `, an epoch, `-`, a sequence number of 20 digits, and LF.
pub const MAX_ID_LINE: usize = 4 + EPOCH_DIGITS + 1 + 20 + 1;

/// An epoch is written with this many digits, so that epochs sort as text. This is enough for milliseconds until the
/// year 2286.
pub const EPOCH_DIGITS: usize = 13;

/// The position of an event in its channel, displayed as `<epoch>-<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The time at which the epoch began, in milliseconds since 1970.
    pub epoch: u64,
    /// The sequence number: 1 for the first event of the epoch, and one more for each event after it. 0 is the
    /// position before the first event.
    pub seq: u64,
}

impl EventId {
    /// Returns the epoch as every id displays it.
    pub fn epoch_text(&self) -> String {
        format!("{:0EPOCH_DIGITS$}", self.epoch)
    }
}

impl FromStr for EventId {
    type Err = UnknownId;

    /// Accepts exactly what [`Display`](fmt::Display) writes. Any other spelling is not an id of this hub.
    fn from_str(text: &str) -> Result<Self, UnknownId> {
        let (epoch, seq) = text.split_once('-').ok_or(UnknownId)?;
        let number = |digits: &str| digits.parse().map_err(|_| UnknownId);
        let id = Self {
            epoch: number(epoch)?,
            seq: number(seq)?,
        };
        (id.to_string() == text).then_some(id).ok_or(UnknownId)
    }
}

/// The text is not an id that this hub gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event's id")]
pub struct UnknownId;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0EPOCH_DIGITS$}-{}", self.epoch, self.seq)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Appends the `id:` line of an event.
pub fn write_id(out: &mut String, id: EventId) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "id: {id}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_displayed_form_of_an_id_is_parsed() {
        let id = EventId {
            epoch: 1_795_354_163_077,
            seq: 0,
        };
        assert_eq!("1795354163077-0".parse(), Ok(id));
        for other in [
            "",
            "-",
            "7",
            "1795354163077",
            "1795354163077-",
            "1795354163077-00",
            "+795354163077-1",
            "1795354163077-+1",
            "1795354163077-1 ",
            "01795354163077-1",
            "7-1",
            "1795354163077-99999999999999999999",
        ] {
            assert_eq!(other.parse::<EventId>(), Err(UnknownId), "{other}");
        }
    }

    #[test]
    fn an_epoch_is_displayed_with_13_digits() {
        let id = EventId { epoch: 17, seq: 3 };
        assert_eq!(id.epoch_text(), "0000000000017");
        assert_eq!(id.to_string(), "0000000000017-3");
    }

    #[test]
    fn the_longest_id_line_has_max_id_line_bytes() {
        let mut line = String::new();
        write_id(
            &mut line,
            EventId {
                epoch: 9_999_999_999_999,
                seq: u64::MAX,
            },
        );
        assert_eq!(line.len(), MAX_ID_LINE);
    }
}
