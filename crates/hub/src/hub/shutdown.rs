//! Ends streams whose clients have to come back: because the server stops, or because a Worker can hold them.

use super::Hub;
use super::unread::MAX_CHUNK;
use crate::cursor::Cursor;
use crate::end_reason::EndReason;
use crate::output::Output;
use crate::sse;
use crate::stream::Stream;

impl<S: Stream> Hub<S> {
    /// Ends all streams. The channel and its events stay, so their clients resume when the server has started again.
    ///
    /// The last bytes of a stream set the time after which its client reconnects. `retry_ms` returns this time, in
    /// milliseconds, once for each stream. A stream in the middle of an event first gets the rest of the event if it is
    /// ready and the rest fits into one chunk. Otherwise it ends there, and its client discards the partial event.
    ///
    /// The Worker sets the time of the clients whose streams it holds.
    pub fn shut_down(&mut self, mut retry_ms: impl FnMut() -> u32) -> Output<S> {
        let mut output = Output::new();
        let mut rests: Vec<(&Cursor, Option<usize>)> = Vec::new();
        for (conn, subscriber) in &self.subscribers {
            let (stream, cursor) = (&subscriber.stream, &subscriber.cursor);
            let is_ready = subscriber.is_ready();
            if cursor.is_in_event() {
                let known = rests.iter().find(|(at, _)| *at == cursor);
                let rest = known.map(|(_, rest)| *rest).unwrap_or_else(|| {
                    let rest = cursor.rest_of_partial_event_within(MAX_CHUNK);
                    let chunk = rest.map(|rest| output.add_bytes(rest, cursor.next_seq));
                    rests.push((cursor, chunk));
                    chunk
                });
                let Some(rest) = rest.filter(|_| is_ready) else {
                    output.end(*conn, stream, EndReason::Stopping);
                    continue;
                };
                output.write(*conn, stream, rest);
            }
            if subscriber.is_response() {
                let retry = sse::retry_field(retry_ms()).into_bytes();
                let retry = output.add_bytes(retry, cursor.next_seq);
                output.write(*conn, stream, retry);
            }
            output.end(*conn, stream, EndReason::Stopping);
        }
        self.remove_ended(&output);
        output
    }

    /// Ends the streams that the object holds and that are level, because the channel has become quiet: when their
    /// clients come back, the Worker can hold them. `retry_ms` is as in [`shut_down`](Self::shut_down).
    pub fn hand_over(&mut self, mut retry_ms: impl FnMut() -> u32) -> Output<S> {
        let mut output = Output::new();
        let head = self.log.head();
        for (conn, subscriber) in &self.subscribers {
            if subscriber.is_response() && !subscriber.cursor.is_behind(head) {
                let retry = sse::retry_field(retry_ms()).into_bytes();
                let retry = output.add_bytes(retry, head);
                output.write(*conn, &subscriber.stream, retry);
                output.end(*conn, &subscriber.stream, EndReason::Quiet);
            }
        }
        self.remove_ended(&output);
        output
    }
}
