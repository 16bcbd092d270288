//! The parts of an event stream that are not events of the channel.

use super::batch::write_event;
use super::notice::{Notice, open_notice};
use crate::start::StartPosition;

/// The media type of a stream, and of a publish body that carries a batch.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// An empty comment. It shows that the connection is alive. A blank line does not follow it, because several clients
/// make an empty message of a blank line.
pub const HEARTBEAT: &[u8] = b":\n";

/// Returns the first blocks of a stream of `channel`: the event `hub.open` with the position from which the stream
/// continues, and a notice if the client will not get the next events. A [`retry_field`] comes before them.
///
/// If it is unknown which events the client has missed, the notice comes first. So if the connection breaks between the
/// two, the client resumes with its own id, and gets the notice again.
pub fn opening(channel: &str, start: &StartPosition) -> String {
    let open = open_notice(channel, start.id);
    match &start.gap {
        None => open,
        Some(gap) => {
            let gap_notice = Notice::Gap.encode(channel, gap);
            let blocks = if gap.from.is_some() {
                [open, gap_notice]
            } else {
                [gap_notice, open]
            };
            blocks.concat()
        }
    }
}

/// Returns the first blocks of a feed that continues a stream: a notice if the client will not get the next events.
pub fn continuation(channel: &str, start: &StartPosition) -> String {
    let notice = |gap| Notice::Gap.encode(channel, gap);
    start.gap.as_ref().map(notice).unwrap_or_default()
}

/// Returns the time that a client waits before it reconnects. A stream begins with it, and ends with another one if its
/// client has to reconnect sooner.
///
/// A client applies the field when it reads the line. No blank line follows, because some clients make an empty message
/// of a block without data.
pub fn retry_field(retry_ms: u32) -> String {
    format!("retry: {retry_ms}\n")
}

/// Returns a whole stream that only reports an error, for clients that cannot read an HTTP status: the event
/// `hub.error` with `problem` (one line of JSON) as its data.
pub fn error_stream(retry_ms: u32, problem: &str) -> String {
    retry_field(retry_ms) + &error_notice(problem)
}

/// Returns the event `hub.error` with `problem` (one line of JSON) as its data.
pub fn error_notice(problem: &str) -> String {
    let mut out = String::new();
    write_event(&mut out, "hub.error", problem);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::{Epoch, EventId, Missing};

    const EPOCH: Epoch = Epoch::new(17, 0);
    const ID: EventId = EventId {
        epoch: EPOCH,
        seq: 5,
    };

    fn start(gap: Option<Missing>) -> StartPosition {
        StartPosition {
            next_seq: 6,
            id: ID,
            gap,
        }
    }

    #[test]
    fn a_stream_opens_with_its_position() {
        assert_eq!(
            opening("foo", &start(None)),
            "event: hub.open\n\
             data: {\"channel\":\"foo\",\"id\":\"0000000120000-5\"}\n\
             id: 0000000120000-5\n\n"
        );
    }

    #[test]
    fn a_gap_of_unknown_size_comes_before_the_position_and_a_known_one_after_it() {
        for (gap, first) in [
            (Missing::between(EPOCH, 3, 5), "hub.open"),
            (Missing::unknown(ID), "hub.gap"),
        ] {
            let opening = opening("foo", &start(Some(gap)));
            let types: Vec<_> = opening.matches("event: hub.").collect();
            assert_eq!(types.len(), 2);
            let beginning = format!("event: {first}\n");
            assert!(opening.starts_with(&beginning), "{opening}");
        }
    }

    #[test]
    fn an_error_stream_holds_one_hub_error_event() {
        assert_eq!(
            error_stream(5_000, "{\"status\":503}"),
            "retry: 5000\nevent: hub.error\ndata: {\"status\":503}\n\n"
        );
    }
}
