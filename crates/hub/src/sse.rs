//! The wire format of Server-Sent Events: what the hub writes and what a publisher may send.
//!
//! Source: WHATWG HTML, section 9.2, "Server-sent events". Pure: no Worker type, no clock, no I/O.

mod parse;
#[cfg(test)]
mod proptests;

use std::fmt::Write;

use serde::Serialize;

use self::parse::lines;
pub use self::parse::{ParsedEvent, parse};

/// The media type of a stream, and of a publish body that carries a batch.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// A comment and nothing else: dispatches no event, but shows that the connection lives.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// The most bytes that one event may take once it is encoded. A row of the history holds whole events, and the platform
/// allows a row 2 MB.
pub const MAX_ENCODED_EVENT: usize = 1 << 20;

/// The longest event type, in characters.
pub const MAX_TYPE_CHARS: usize = 64;

/// Event types that begin so are the hub's own.
pub const RESERVED_PREFIX: &str = "hub.";

/// The most bytes that [`write_id`] can take: `id: `, an epoch, `-`, a sequence number of 20 digits and the line's end.
pub const MAX_ID_LINE: usize = 4 + EPOCH_DIGITS + 1 + 20 + 1;

/// An epoch is written with this many digits, so that epochs sort as text. Enough for milliseconds until the year 2286.
pub const EPOCH_DIGITS: usize = 13;

/// The place of an event in its channel. Shown as `<epoch>-<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// When the channel's memory began: milliseconds since 1970.
    pub epoch: u64,
    /// 1 for the first event of the epoch, and one more for each that follows; 0 stands before the first.
    pub seq: u64,
}

impl EventId {
    /// The epoch as it stands in every id.
    pub fn epoch_text(&self) -> String {
        format!("{:0EPOCH_DIGITS$}", self.epoch)
    }
}

impl std::str::FromStr for EventId {
    type Err = UnknownId;

    /// Takes what an id is displayed as, and nothing else: other spellings are not this hub's.
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

/// Not an id that this hub gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event's id")]
pub struct UnknownId;

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0EPOCH_DIGITS$}-{}", self.epoch, self.seq)
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a string cannot be an event's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// CR, LF or NUL, which would end the line or the stream's meaning.
    #[error("it contains CR, LF or NUL")]
    Control,
    /// Longer than [`MAX_TYPE_CHARS`].
    #[error("it is longer than {MAX_TYPE_CHARS} characters")]
    TooLong,
    /// Begins with [`RESERVED_PREFIX`].
    #[error("types that begin with \"{RESERVED_PREFIX}\" are the hub's own")]
    Reserved,
}

/// Whether a publisher may use `event_type`.
pub fn check_type(event_type: &str) -> Result<(), TypeError> {
    if event_type.contains(['\r', '\n', '\0']) {
        Err(TypeError::Control)
    } else if event_type.chars().count() > MAX_TYPE_CHARS {
        Err(TypeError::TooLong)
    } else if event_type.starts_with(RESERVED_PREFIX) {
        Err(TypeError::Reserved)
    } else {
        Ok(())
    }
}

/// Appends an event without its `id:` line: `event:` where `event_type` is not empty, a `data:` line for each
/// line of `data`, and the blank line. What it writes holds no other blank line and no CR, so that a [`Batch`]
/// finds the ends of events again.
pub fn write_event(out: &mut String, event_type: &str, data: &str) {
    if !event_type.is_empty() {
        out.push_str("event: ");
        out.push_str(event_type);
        out.push('\n');
    }
    for line in lines(data) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
}

/// Encoded events that are published together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What [`write_event`] wrote.
    pub wire: String,
    /// How many events it is.
    pub events: usize,
}

impl Batch {
    /// The events of a text that [`write_event`] wrote.
    pub fn from_wire(wire: String) -> Self {
        let events = events(&wire).count();
        Self { wire, events }
    }

    /// How many bytes it takes in a log at the most, ids included.
    pub fn cost(&self) -> usize {
        self.events
            .saturating_mul(MAX_ID_LINE)
            .saturating_add(self.wire.len())
    }

    /// Its events, encoded, each with its blank line.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        events(&self.wire)
    }
}

/// The events in what [`write_event`] wrote, each with its blank line.
pub fn events(wire: &str) -> impl Iterator<Item = &str> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (event, after) = match rest.find("\n\n") {
            Some(at) => rest.split_at_checked(at.saturating_add(2))?,
            None => (rest, ""),
        };
        rest = after;
        (!event.is_empty()).then_some(event)
    })
}

/// Appends the line that gives an event its id.
pub fn write_id(out: &mut String, id: EventId) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "id: {id}");
}

/// The block that opens a stream: how long to wait before a reconnect, a comment that flushes headers on their way,
/// and the id to resume from, if the connection is lost before the first event. It dispatches nothing.
pub fn opening(retry_ms: u32, at: Option<EventId>) -> String {
    let mut out = format!("retry: {retry_ms}\n: sse-broadcaster\n");
    if let Some(at) = at {
        write_id(&mut out, at);
    }
    out.push('\n');
    out
}

/// Events that a reader will not get. The shape of a notice's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// How many they are, where that can be known.
    pub count: Option<u64>,
    /// The first of them, where that can be known.
    pub from: Option<EventId>,
    /// The last of them: the next event of its epoch is the one that follows.
    pub to: EventId,
}

impl Missing {
    /// The events `from` to `to` of `epoch`, both included.
    pub fn between(epoch: u64, from: u64, to: u64) -> Self {
        Self {
            count: Some(to.saturating_sub(from).saturating_add(1)),
            from: Some(EventId { epoch, seq: from }),
            to: EventId { epoch, seq: to },
        }
    }

    /// Nobody knows which or how many, up to `to`.
    pub fn unknown(to: EventId) -> Self {
        Self {
            count: None,
            from: None,
            to,
        }
    }
}

/// Why a stream will not get events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `hub.dropped`: it did not take them in time.
    Dropped,
    /// `hub.gap`: they are not held any more.
    Gap,
}

impl Notice {
    /// The notice of `missing` as it stands in the stream.
    pub fn encode(self, missing: &Missing) -> String {
        let event_type = match self {
            Self::Dropped => "hub.dropped",
            Self::Gap => "hub.gap",
        };
        notice(event_type, missing, missing.to)
    }
}

/// The last event of a stream whose channel has been deleted after event `last`.
pub fn end_notice(last: EventId) -> String {
    last_notice("hub.end", last)
}

/// The last event of a stream whose token has expired; it was given everything up to `last`.
pub fn expired_notice(last: EventId) -> String {
    last_notice("hub.expired", last)
}

fn last_notice(event_type: &str, last: EventId) -> String {
    #[derive(Serialize)]
    struct Last {
        id: EventId,
    }
    notice(event_type, &Last { id: last }, last)
}

fn notice(event_type: &str, data: &impl Serialize, id: EventId) -> String {
    // Numbers and strings always serialize.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event_type}\ndata: {data}\nid: {id}\n\n")
}

/// A whole stream that only says what is wrong, for clients that would not read another status: `hub.error` with
/// `problem` (one line of JSON) as its data.
pub fn error_stream(retry_ms: u32, problem: &str) -> String {
    let mut out = format!("retry: {retry_ms}\n");
    write_event(&mut out, "hub.error", problem);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(event_type: &str, data: &str) -> String {
        let mut out = String::new();
        write_event(&mut out, event_type, data);
        out
    }

    #[test]
    fn an_event_is_written_line_by_line() {
        assert_eq!(encoded("", "foo=bar"), "data: foo=bar\n\n");
        assert_eq!(encoded("", ""), "data: \n\n");
        assert_eq!(
            encoded("score", "a\rb\nc\r\nd\n\r"),
            "event: score\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n"
        );
    }

    #[test]
    fn data_cannot_break_out_of_its_event() {
        let wire = encoded("", "x\n\nevent: hub.end\rdata: y\r\n\r\nid: 9");
        assert_eq!(events(&wire).count(), 1);
        assert!(
            wire.lines()
                .all(|line| line.is_empty() || line.starts_with("data: "))
        );
    }

    #[test]
    fn types_are_checked() {
        assert_eq!(check_type("score"), Ok(()));
        assert_eq!(check_type(""), Ok(()));
        assert_eq!(check_type(&"é".repeat(64)), Ok(()));
        assert_eq!(check_type(&"é".repeat(65)), Err(TypeError::TooLong));
        for bad in ["a\nb", "a\rb", "a\0b"] {
            assert_eq!(check_type(bad), Err(TypeError::Control));
        }
        assert_eq!(check_type("hub.end"), Err(TypeError::Reserved));
        assert_eq!(check_type("hubble"), Ok(()));
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
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
    fn notices_say_what_is_missing() {
        let notice = Notice::Dropped.encode(&Missing::between(17, 3, 5));
        assert_eq!(
            notice,
            "event: hub.dropped\ndata: {\"count\":3,\"from\":\"0000000000017-3\",\"to\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
        let id = EventId { epoch: 17, seq: 5 };
        assert_eq!(
            Notice::Gap.encode(&Missing::unknown(id)),
            "event: hub.gap\ndata: {\"count\":null,\"from\":null,\"to\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
        assert_eq!(
            end_notice(id),
            "event: hub.end\ndata: {\"id\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
        assert_eq!(
            expired_notice(id),
            "event: hub.expired\ndata: {\"id\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
    }

    #[test]
    fn a_stream_opens_with_the_place_to_resume_from_or_without() {
        let at = EventId { epoch: 17, seq: 5 };
        assert_eq!(
            opening(3_000, Some(at)),
            "retry: 3000\n: sse-broadcaster\nid: 0000000000017-5\n\n"
        );
        assert_eq!(opening(3_000, None), "retry: 3000\n: sse-broadcaster\n\n");
    }

    #[test]
    fn ids_have_one_width_until_the_sequence_number() {
        let id = EventId { epoch: 17, seq: 3 };
        assert_eq!(id.to_string(), "0000000000017-3");
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
