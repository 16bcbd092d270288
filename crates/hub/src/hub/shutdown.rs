//! Ends all streams because the server stops.

use super::Hub;
use super::unread::MAX_CHUNK;
use crate::cursor::Cursor;
use crate::output::Output;
use crate::sse;
use crate::stream::Stream;

impl<S: Stream> Hub<S> {
    /// Ends all streams. The channel and its events stay, so their clients resume when the server has started again.
    ///
    /// The last bytes of a stream set the time after which its client reconnects. `retry_ms` returns this time, in
    /// milliseconds, once for each stream. A stream in the middle of an event first gets the rest of the event if it is
    /// ready and the rest fits into one chunk. Otherwise it ends there, and its client discards the partial event.
    pub fn shut_down(&mut self, mut retry_ms: impl FnMut() -> u32) -> Output<S> {
        let mut output = Output::new();
        let mut rests: Vec<(&Cursor, Option<usize>)> = Vec::new();
        for (conn, subscriber) in &self.subscribers {
            let (stream, cursor) = (&subscriber.stream, &subscriber.cursor);
            if cursor.is_in_event() {
                let known = rests.iter().find(|(at, _)| *at == cursor);
                let rest = known.map(|(_, rest)| *rest).unwrap_or_else(|| {
                    let rest = cursor.rest_of_partial_event_within(MAX_CHUNK);
                    let chunk = rest.map(|rest| output.add_chunk(rest));
                    rests.push((cursor, chunk));
                    chunk
                });
                let Some(rest) = rest.filter(|_| stream.is_ready()) else {
                    output.end(*conn, stream);
                    continue;
                };
                output.write(*conn, stream, rest);
            }
            let retry = output.add_chunk(sse::retry_field(retry_ms()).into_bytes());
            output.write(*conn, stream, retry);
            output.end(*conn, stream);
        }
        self.remove_ended(&output);
        output
    }
}
