//! The end of the channel, and streams that end with a last chunk.

use super::Hub;
use crate::Millis;
use crate::cursor::{Cursor, MissedEvents};
use crate::end_reason::EndReason;
use crate::feed::FrameHeader;
use crate::log::Log;
use crate::output::{Chunk, Output};
use crate::receipt::DeleteReceipt;
use crate::sse::EventId;
use crate::stream::{ConnId, Stream};
use crate::subscriber::Subscriber;

impl<S: Stream> Hub<S> {
    /// Whether the channel has ended, and nothing was appended since.
    pub fn has_ended(&self) -> bool {
        self.log.has_ended()
    }

    /// Ends the channel after its last event. Each stream still gets the events that it was not given, then a `hub.end`
    /// notice, and ends. Streams that join later do the same.
    pub fn end(&mut self, now: Millis) {
        self.log.end();
        if !self.subscribers.is_empty() {
            self.flushes.note_events(now);
        }
    }

    /// Opens a channel that has ended, because its end is not stored any more.
    pub fn reopen(&mut self) {
        self.log.reopen();
    }

    /// Deletes the channel: removes all events, and ends all streams with a `hub.end` notice. The subscribers drop the
    /// events that they were not given; the receipt counts these. The channel stays ended. Its next event gets the id
    /// `next`, of another epoch.
    pub fn delete(&mut self, next: EventId) -> (DeleteReceipt, Output<S>) {
        let changes = self.changes.len();
        self.remove_before(self.log.head());
        // The streams end now, so none of them starts to drop.
        self.changes.truncate(changes);
        let receipt = DeleteReceipt {
            id: self.log.newest(),
            subscribers: self.subscribers.len(),
            dropped: self.drops.take_unreported(),
        };
        let all: Vec<ConnId> = self.subscribers.keys().copied().collect();
        let mut output = Output::new();
        self.end_streams(
            &all,
            EndReason::ChannelEnded,
            |cursor, missed, log| cursor.deletion_chunk(missed, log, next),
            &mut output,
        );
        self.log.begin_epoch(next);
        self.log.end();
        (receipt, output)
    }

    /// Ends the streams that have expired with a `hub.expired` notice. They are written to even if they are not ready.
    pub(super) fn end_expired(&mut self, now: Millis, output: &mut Output<S>) {
        let expired = self.expiry.expired(now);
        self.end_streams(
            &expired,
            EndReason::Expired,
            |cursor, _, log| cursor.expired_chunk(log),
            output,
        );
    }

    /// Ends a feed with the rest of its partial event, because the client's token has expired.
    pub(super) fn finish_event(&mut self, conn: ConnId, output: &mut Output<S>) {
        self.end_streams(
            &[conn],
            EndReason::Expired,
            |cursor, _, _| cursor.rest_of_partial_event(),
            output,
        );
    }

    /// Ends the streams `conns`, and removes them. The last chunk depends on the position; streams at the same position
    /// share it.
    fn end_streams(
        &mut self,
        conns: &[ConnId],
        reason: EndReason,
        last_chunk: impl Fn(&Cursor, MissedEvents, &Log) -> Vec<u8>,
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
                let header = FrameHeader {
                    next_seq: cursor.next_seq,
                    ends: reason == EndReason::ChannelEnded,
                    ..FrameHeader::default()
                };
                let bytes = last_chunk(cursor, missed, &self.log);
                let chunk = output.add_chunk(Chunk { bytes, header });
                chunks.push((cursor.clone(), missed, chunk));
                chunk
            });
            output.write(*conn, stream, chunk);
            output.end(*conn, stream, reason);
            self.leave(*conn);
        }
    }
}
