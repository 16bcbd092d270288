//! Passes the frames of the feeds on to the client.

use super::merge::WaitingFrame;
use super::{Action, FeedNumber, HeldStream, SHORT_RETRY_MS};
use crate::Millis;
use crate::feed::{FeedMessage, FrameHeader};

/// Each further piece of this many bytes of a frame counts as a message.
const MESSAGE_BYTES: usize = 16 * 1024;

impl HeldStream {
    /// Notes a frame with `bytes` bytes of the event stream. `read` returns these bytes; it is called only for a stream
    /// of several channels.
    pub fn note_frame(
        &mut self,
        number: FeedNumber,
        header: FrameHeader,
        bytes: usize,
        read: impl FnOnce() -> Vec<u8>,
        now: Millis,
    ) -> Vec<Action> {
        let Some(feed) = self.open_feed(number) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        if let Some(held) = feed.note_arrival(header, bytes) {
            actions.push(Action::Send(number, FeedMessage::Holds(held)));
        }
        match &mut self.merge {
            None => {
                actions.push(Action::PassOn);
                self.note_passed(number, header, bytes, now);
                self.end_if_all_channels_have(&mut actions);
            }
            Some(merge) => {
                merge.wait(WaitingFrame {
                    feed: number,
                    header: Some(header),
                    bytes: read(),
                });
                self.write_waiting_frames(now, &mut actions);
            }
        }
        if !self.has_ended {
            self.expire_if_due(now, &mut actions);
        }
        if !self.has_ended {
            self.count_message(bytes, &mut actions);
        }
        actions
    }

    /// Notes that the runtime has answered a ping in place of the object.
    pub fn note_pong(&mut self, number: FeedNumber) {
        if let Some(feed) = self.open_feed(number) {
            feed.was_heard = true;
        }
    }

    /// Writes the frames that need not wait any more.
    fn write_waiting_frames(&mut self, now: Millis, actions: &mut Vec<Action>) {
        while let Some(merge) = &mut self.merge {
            let Some(WaitingFrame {
                feed,
                header,
                bytes,
            }) = merge.next()
            else {
                break;
            };
            match merge.rewrite(feed, &bytes) {
                Ok(rewritten) => {
                    if let Some(header) = header {
                        self.note_passed(feed, header, bytes.len(), now);
                    }
                    actions.push(Action::Write(rewritten));
                }
                Err(_) => {
                    // No object of this hub sends such a frame. The client has got a part of it.
                    self.end(actions);
                    return;
                }
            }
        }
        self.end_if_all_channels_have(actions);
    }

    fn note_passed(&mut self, number: FeedNumber, header: FrameHeader, bytes: usize, now: Millis) {
        if let Some(feed) = self.feeds.get_mut(number) {
            feed.note_passed(header, bytes);
        }
        self.liveness.note_events(now);
    }

    /// Writes a notice of the Worker about the channel of a feed, which is not in the middle of a block. The notice
    /// waits if the stream is in the middle of a block of another channel.
    pub(super) fn write_notice(
        &mut self,
        number: FeedNumber,
        notice: String,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let bytes = notice.into_bytes();
        match &mut self.merge {
            Some(merge) => {
                merge.wait(WaitingFrame {
                    feed: number,
                    header: None,
                    bytes,
                });
                self.write_waiting_frames(now, actions);
            }
            None => actions.push(Action::Write(bytes)),
        }
    }

    /// Counts a message of `bytes` bytes, which costs the request CPU time, and ends the stream if there were too many.
    pub(super) fn count_message(&mut self, bytes: usize, actions: &mut Vec<Action>) {
        let further = bytes / MESSAGE_BYTES;
        let messages = self.messages.saturating_add(1);
        self.messages = messages.saturating_add(further as u64);
        let is_over = |max| self.messages >= max;
        if self.limits.max_messages.is_some_and(is_over) && !self.is_in_block() {
            self.end_with_retry(SHORT_RETRY_MS, actions);
        }
    }
}
