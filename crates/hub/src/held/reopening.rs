//! Opens feeds again that have broken.

use super::backoff::Backoff;
use super::feed::{HeldFeed, Link};
use super::{Action, ERROR_RETRY_MS, FeedAnswer, FeedNumber, HeldStream};
use crate::Millis;
use crate::sse::{self, EventId};

/// How long an object may take to answer, in milliseconds.
const ANSWER: Millis = 20_000;

impl HeldStream {
    /// Notes that the feed has broken. It is opened again, unless the client was given a part of an event: the object
    /// cannot continue there, so the client has to reconnect.
    pub(super) fn note_broken(
        &mut self,
        number: FeedNumber,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let Some(feed) = self.feeds.get_mut(number) else {
            return;
        };
        if feed.in_event {
            self.end(actions);
            return;
        }
        let backoff = feed.note_broken(now);
        if let Some(merge) = &mut self.merge {
            merge.forget(number);
        }
        self.wait(number, backoff, now);
    }

    fn wait(&mut self, number: FeedNumber, mut backoff: Backoff, now: Millis) {
        let at = backoff.next_attempt(&mut self.jitter, now);
        if let Some(feed) = self.feeds.get_mut(number) {
            feed.link = Link::Waiting { at, backoff };
        }
    }

    /// Asks for feeds again for which that is due.
    pub(super) fn reopen_if_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for (number, feed) in self.feeds.iter_mut().enumerate() {
            if feed.asks_at().is_none_or(|at| at > now) {
                continue;
            }
            if let Link::Waiting { backoff, .. } | Link::Opening { backoff, .. } = &feed.link {
                feed.link = Link::Opening {
                    until: now.saturating_add(ANSWER),
                    backoff: backoff.clone(),
                };
                actions.push(Action::Open(number, feed.position));
            }
        }
    }

    /// Whether the stream waits for the object's answer to [`Action::Open`].
    pub fn expects_answer(&self, number: FeedNumber) -> bool {
        let feed = self.feeds.get(number).filter(|_| !self.has_ended);
        feed.is_some_and(|feed| matches!(feed.link, Link::Opening { .. }))
    }

    /// Notes the object's answer to [`Action::Open`].
    pub fn note_answer(
        &mut self,
        number: FeedNumber,
        answer: FeedAnswer,
        now: Millis,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let has_ended = self.has_ended;
        let feed = self.feeds.get_mut(number).filter(|_| !has_ended);
        let Some((feed, mut backoff)) = feed.and_then(|feed| match feed.link.clone() {
            Link::Opening { backoff, .. } => Some((feed, backoff)),
            Link::Open | Link::Waiting { .. } | Link::Ended => None,
        }) else {
            return actions;
        };
        match answer {
            FeedAnswer::Opened(start) => {
                let was_told = backoff.was_told();
                if was_told {
                    backoff.note_recovered(now);
                }
                feed.note_reopened(start, backoff, now);
                self.note_start(number, start);
                if was_told {
                    self.tell_recovery(number, now, &mut actions);
                }
            }
            FeedAnswer::Ended(last) => self.note_ended(number, last, now, &mut actions),
            FeedAnswer::Failed(problem) => {
                feed.problem = problem;
                self.wait(number, backoff, now);
            }
        }
        actions
    }

    /// Begins with a channel of a stream that opens.
    pub(super) fn begin(
        &mut self,
        number: FeedNumber,
        answer: FeedAnswer,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let Some(feed) = self.feeds.get_mut(number) else {
            return;
        };
        match answer {
            FeedAnswer::Opened(start) => {
                feed.note_opened(start);
                self.note_start(number, start);
            }
            FeedAnswer::Ended(last) => self.note_ended(number, last, now, actions),
            FeedAnswer::Failed(problem) => {
                feed.problem = problem;
                self.tell_failure(number, now, actions);
                self.wait(number, Backoff::told(now), now);
            }
        }
    }

    fn note_start(&mut self, number: FeedNumber, start: EventId) {
        if let Some(merge) = &mut self.merge {
            merge.note_opened(number);
            merge.note_start(number, start);
        }
    }

    /// Notes that a channel has ended after `last`, which the client has.
    fn note_ended(
        &mut self,
        number: FeedNumber,
        last: EventId,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let Some(feed) = self.feeds.get_mut(number) else {
            return;
        };
        feed.link = Link::Ended;
        let notice = sse::end_notice(&feed.channel, last);
        self.write_notice(number, notice, now, actions);
        self.end_if_all_channels_have(actions);
    }

    fn tell_failure(&mut self, number: FeedNumber, now: Millis, actions: &mut Vec<Action>) {
        if let Some(feed) = self.feeds.get(number) {
            let notice = sse::error_notice(&feed.problem);
            self.write_notice(number, notice, now, actions);
        }
    }

    /// Writes a `hub.open` for a feed that is open after its client got a `hub.error`. The object writes it if the feed
    /// starts as the client has asked.
    fn tell_recovery(&mut self, number: FeedNumber, now: Millis, actions: &mut Vec<Action>) {
        let feed = self.feeds.get(number);
        let notice = feed.and_then(|feed| Some(sse::open_notice(&feed.channel, feed.position?)));
        if let Some(notice) = notice {
            self.write_notice(number, notice, now, actions);
        }
    }

    /// If a feed was broken for too long, tells the client why. Ends the stream if it has no other.
    pub(super) fn give_up_if_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for number in 0..self.feeds.len() {
            let Some(feed) = self.feeds.get_mut(number) else {
                return;
            };
            if feed.link.gives_up_at().is_none_or(|at| at > now) {
                continue;
            }
            feed.link.note_told();
            self.tell_failure(number, now, actions);
        }
        // The stream is of no use while it has no channel.
        let is_lost = |feed: &HeldFeed| feed.link == Link::Ended || feed.link.was_told();
        let all_lost = self.feeds.iter().all(is_lost);
        let any_waits = self.feeds.iter().any(|feed| feed.link.was_told());
        if all_lost && any_waits {
            self.end_with_retry(ERROR_RETRY_MS, actions);
        }
    }
}
