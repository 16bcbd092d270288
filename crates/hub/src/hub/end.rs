//! Ends streams with a last chunk: at the end of the channel, and when they expire.

use super::Hub;
use crate::Millis;
use crate::cursor::{Cursor, MissedEvents};
use crate::output::Output;
use crate::receipt::EndReceipt;
use crate::sse::EventId;
use crate::stream::{ConnId, Stream};
use crate::subscriber::Subscriber;

impl<S: Stream> Hub<S> {
    /// Ends the channel: removes all events, and ends all streams with a `hub.end` notice. The subscribers drop the
    /// events that they were not given; the receipt counts these. The next event gets the id `next`, of another epoch.
    pub fn end(&mut self, next: EventId) -> (EndReceipt, Output<S>) {
        let head = self.next_id();
        let changes = self.changes.len();
        self.remove_before(head.seq);
        // The streams end now, so none of them starts to drop.
        self.changes.truncate(changes);
        let receipt = EndReceipt {
            id: self.log.newest(),
            subscribers: self.subscribers.len(),
            dropped: self.drops.take_unreported(),
        };
        let all: Vec<ConnId> = self.subscribers.keys().copied().collect();
        let mut output = Output::new();
        self.end_streams(
            &all,
            |cursor, missed| cursor.end_chunk(missed, head),
            &mut output,
        );
        self.log.begin_epoch(next);
        (receipt, output)
    }

    /// Ends the streams that have expired with a `hub.expired` notice. They are written to even if they are not ready.
    pub(super) fn end_expired(&mut self, now: Millis, output: &mut Output<S>) {
        let expired = self.expiry.expired(now);
        let epoch = self.log.epoch();
        self.end_streams(&expired, |cursor, _| cursor.expired_chunk(epoch), output);
    }

    /// Ends the streams `conns`, and removes them. The last chunk depends on the position; streams at the same position
    /// share it.
    fn end_streams(
        &mut self,
        conns: &[ConnId],
        last_chunk: impl Fn(&Cursor, MissedEvents) -> Vec<u8>,
        output: &mut Output<S>,
    ) {
        let mut chunks: Vec<(Cursor, MissedEvents, usize)> = Vec::new();
        for conn in conns {
            let Some(Subscriber {
                stream,
                cursor,
                mode,
                ..
            }) = self.subscribers.get(conn)
            else {
                continue;
            };
            let missed = mode.missed_events();
            let known = chunks
                .iter()
                .find(|(at, at_missed, _)| at == cursor && *at_missed == missed);
            let chunk = known.map(|(.., chunk)| *chunk).unwrap_or_else(|| {
                let chunk = output.add_chunk(last_chunk(cursor, missed));
                chunks.push((cursor.clone(), missed, chunk));
                chunk
            });
            output.write(*conn, stream, chunk);
            output.end(*conn, stream);
            self.leave(*conn);
        }
    }
}
