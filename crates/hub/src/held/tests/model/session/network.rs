//! How the Worker receives the messages of its feeds, and the answers to its requests.

use super::{Request, Session};
use crate::feed::{FeedMessage, WINDOW_BYTES};
use crate::held::tests::model::object::Object;
use crate::held::tests::model::wire::{ToWorker, Wire};
use crate::held::{Action, FeedAnswer, FeedNumber};
use crate::{Millis, ReplayFrom};

/// The longest notice, with some room.
const NOTICE_BYTES: usize = 300;

impl Session {
    /// Receives the next message of a feed. Returns whether there was one.
    pub fn receive(&mut self, number: FeedNumber, now: Millis) -> bool {
        let Some(wire) = self.feeds[number].wire.clone() else {
            return false;
        };
        match wire.next_for_worker() {
            None => return false,
            Some(ToWorker::Pong) => self.change(None, now, |held| {
                held.note_pong(number);
                Vec::new()
            }),
            Some(ToWorker::Closed(code)) => {
                self.feeds[number].wire = None;
                self.change(None, now, |held| held.note_closed(number, code, now));
            }
            Some(ToWorker::Frame(header, bytes)) => {
                self.note_progress(now);
                if self.has_ended {
                    return true;
                }
                let feed = &mut self.feeds[number];
                let held_before = feed.unacknowledged;
                feed.unacknowledged += bytes.len();
                feed.untaken += bytes.len();
                let asks = header.asks;
                feed.was_asked |= asks;
                let mut answer = None;
                self.change(Some(&bytes), now, |held| {
                    let actions =
                        held.note_frame(number, header, bytes.len(), || bytes.clone(), now);
                    answer = Some(actions.iter().any(is_answer));
                    actions
                });
                if asks && answer == Some(false) {
                    // Without an answer, the object assumes that the client has taken everything before this frame.
                    self.feeds[number].unacknowledged -= held_before;
                }
                self.check_window(number, &wire);
            }
        }
        true
    }

    /// Checks how much the Worker holds for a client that does not read.
    fn check_window(&self, number: FeedNumber, wire: &Wire) {
        let feed = &self.feeds[number];
        if feed.wire.is_none() || wire.is_closed() {
            return;
        }
        let most = if feed.was_asked {
            WINDOW_BYTES + WINDOW_BYTES / 2
        } else {
            WINDOW_BYTES
        };
        let held = feed.unacknowledged.max(feed.untaken);
        assert!(held <= most + NOTICE_BYTES, "the Worker holds {held} bytes");
    }

    /// Takes the next step of the request for the feed `number`. Returns whether there was a request.
    pub fn advance_request(
        &mut self,
        number: FeedNumber,
        fails: bool,
        objects: &mut [Object],
        now: Millis,
    ) -> bool {
        match self.feeds[number].request.take() {
            None => return false,
            Some(Request::Asked(_)) if fails => {
                let answer = FeedAnswer::Failed("{}".into());
                self.feeds[number].request = Some(Request::Answered(answer, None));
            }
            Some(Request::Asked(position)) => {
                let mut wanted = self.wanted[number].clone();
                if let Some(position) = position {
                    wanted.from = ReplayFrom::After(position);
                    wanted.continued = true;
                }
                let (answer, wire) = objects[self.list[number]].answer(&wanted, now);
                self.feeds[number].request = Some(Request::Answered(answer, wire));
            }
            Some(Request::Answered(answer, wire)) => {
                self.feeds[number].wire = wire;
                self.feeds[number].unacknowledged = 0;
                self.feeds[number].untaken = 0;
                self.feeds[number].was_asked = false;
                self.change(None, now, |held| held.note_answer(number, answer, now));
            }
        }
        true
    }
}

fn is_answer(action: &Action) -> bool {
    matches!(action, Action::Send(_, FeedMessage::Holds(_)))
}
