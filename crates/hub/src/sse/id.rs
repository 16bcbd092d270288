//! The ids of events.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::epoch::{EPOCH_CHARS, Epoch};

/// The most bytes that [`write_id`] appends: `id: `, an epoch, `-`, a sequence number of 20 digits, and LF.
pub const MAX_ID_LINE: usize = 4 + EPOCH_CHARS + 1 + 20 + 1;

/// The position of an event in its channel, displayed as `<epoch>-<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The span of sequence numbers to which the event belongs.
    pub epoch: Epoch,
    /// The sequence number: 1 for the first event of the epoch, and one more for each event after it. 0 is the
    /// position before the first event.
    pub seq: u64,
}

impl EventId {
    /// Returns the position of the event before the one with sequence number `seq` in `epoch`.
    pub fn before(epoch: Epoch, seq: u64) -> Self {
        Self {
            epoch,
            seq: seq.saturating_sub(1),
        }
    }
}

impl FromStr for EventId {
    type Err = UnknownId;

    /// Accepts exactly what [`Display`](fmt::Display) writes. Any other spelling is not an id of this hub.
    fn from_str(text: &str) -> Result<Self, UnknownId> {
        let (epoch, seq) = text.split_once('-').ok_or(UnknownId)?;
        // The standard library accepts a sign and leading zeros.
        if seq.starts_with(['+', '0']) && seq != "0" {
            return Err(UnknownId);
        }
        Ok(Self {
            epoch: epoch.parse()?,
            seq: seq.parse().map_err(|_| UnknownId)?,
        })
    }
}

/// The text is not an id that this hub gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event's id")]
pub struct UnknownId;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the parts of an encoded event with its id: its lines, the `id:` line, and the blank line that ends it.
///
/// The id comes last, because some clients resume after an id as soon as they have read its line. If the connection
/// breaks before that, such a client gets the whole event again.
pub fn with_id<'a>(event: &'a str, id_line: &'a str) -> [&'a str; 3] {
    debug_assert!(event.ends_with("\n\n"), "an event ends with a blank line");
    [event.strip_suffix('\n').unwrap_or(event), id_line, "\n"]
}

/// Removes the `id:` line from an event with its id.
pub fn without_id(event: &str) -> Option<String> {
    let (lines, _id) = event.rsplit_once("id: ")?;
    Some(format!("{lines}\n"))
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
            epoch: Epoch::new(1_795_354_163_077, 0x12_3456),
            seq: 0,
        };
        assert_eq!(id.to_string(), "38G3E9VRB4D2P-0");
        assert_eq!("38G3E9VRB4D2P-0".parse(), Ok(id));
        for other in [
            "",
            "-",
            "7",
            "38G3E9VRB4D2P",
            "38G3E9VRB4D2P-",
            "38G3E9VRB4D2P-00",
            "38g3e9vrb4d2p-0",
            "38G3E9VRB4D2P-+1",
            "38G3E9VRB4D2P-1 ",
            "038G3E9VRB4D2P-1",
            "7-1",
            "38G3E9VRB4D2P-99999999999999999999",
        ] {
            assert_eq!(other.parse::<EventId>(), Err(UnknownId), "{other}");
        }
    }

    #[test]
    fn the_id_is_the_last_line_of_an_event_and_can_be_removed() {
        for event in [
            "data: id: 7\n\n",
            "event: x\ndata\ndata: id: 1-2\n\n",
            "data\n\n",
        ] {
            let with_id = with_id(event, "id: 38G3E9VRB4D2P-1\n").concat();
            assert!(with_id.ends_with("\nid: 38G3E9VRB4D2P-1\n\n"), "{with_id}");
            assert_eq!(without_id(&with_id).as_deref(), Some(event));
        }
        assert_eq!(without_id("data: x\n\n"), None);
    }

    #[test]
    fn the_longest_id_line_has_max_id_line_bytes() {
        let mut line = String::new();
        write_id(
            &mut line,
            EventId {
                epoch: Epoch::new(0, 0),
                seq: u64::MAX,
            },
        );
        assert_eq!(line.len(), MAX_ID_LINE);
    }
}
