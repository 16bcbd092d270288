//! The parts of an event stream that are not events of the channel.

use super::batch::write_event;
use super::id::{EventId, write_id};

/// The media type of a stream, and of a publish body that carries a batch.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// A comment and a blank line. It dispatches no event, but it shows that the connection is alive.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Returns the block that opens a stream. It dispatches no event.
///
/// The block holds the time to wait before a reconnect, a comment that makes proxies send the headers at once, and,
/// if `resume_id` is known, the id to resume from if the connection breaks before the first event.
pub fn opening(retry_ms: u32, resume_id: Option<EventId>) -> String {
    let mut out = format!("retry: {retry_ms}\n: sse-broadcaster\n");
    if let Some(id) = resume_id {
        write_id(&mut out, id);
    }
    out.push('\n');
    out
}

/// Returns a whole stream that only reports an error, for clients that cannot read an HTTP status: the event
/// `hub.error` with `problem` (one line of JSON) as its data.
pub fn error_stream(retry_ms: u32, problem: &str) -> String {
    let mut out = format!("retry: {retry_ms}\n");
    write_event(&mut out, "hub.error", problem);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_block_holds_the_resume_id_if_there_is_one() {
        let id = EventId { epoch: 17, seq: 5 };
        assert_eq!(
            opening(3_000, Some(id)),
            "retry: 3000\n: sse-broadcaster\nid: 0000000000017-5\n\n"
        );
        assert_eq!(opening(3_000, None), "retry: 3000\n: sse-broadcaster\n\n");
    }

    #[test]
    fn an_error_stream_holds_one_hub_error_event() {
        assert_eq!(
            error_stream(5_000, "{\"status\":503}"),
            "retry: 5000\nevent: hub.error\ndata: {\"status\":503}\n\n"
        );
    }
}
