//! Opens feeds again that have broken.

use super::backoff::Backoff;
use super::feed::Link;
use super::{Action, FeedAnswer, FeedNumber, HeldStream};
use crate::Millis;
use crate::sse;

/// The range of the random `retry:` after an error, in milliseconds.
const ERROR_RETRY_MS: (u32, u32) = (5_000, 15_000);

impl HeldStream {
    /// Notes that the feed has broken. It is opened again, unless the client was given a part of an event: the object
    /// cannot continue there, so the client has to reconnect.
    pub(super) fn note_broken(
        &mut self,
        number: FeedNumber,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let is_in_event = self.feeds.get(number).is_some_and(|feed| feed.in_event);
        if is_in_event {
            self.end(actions);
            return;
        }
        self.wait(number, Backoff::new(now), now);
    }

    fn wait(&mut self, number: FeedNumber, mut backoff: Backoff, now: Millis) {
        let at = backoff.next_attempt(&mut self.jitter, now);
        if let Some(feed) = self.feeds.get_mut(number) {
            feed.link = Link::Waiting { at, backoff };
        }
    }

    /// Asks for feeds again for which that is due. The client has to take what the last feed has delivered first,
    /// because the next one may deliver as much again.
    pub(super) fn reopen_if_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for (number, feed) in self.feeds.iter_mut().enumerate() {
            if let Link::Waiting { at, backoff } = &feed.link
                && *at <= now
                && feed.is_taken()
            {
                feed.link = Link::Opening {
                    backoff: backoff.clone(),
                };
                actions.push(Action::Open(number, feed.position));
            }
        }
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
        let Some((feed, backoff)) = feed.and_then(|feed| match feed.link.clone() {
            Link::Opening { backoff } => Some((feed, backoff)),
            Link::Open | Link::Waiting { .. } | Link::Ended => None,
        }) else {
            return actions;
        };
        match answer {
            FeedAnswer::Opened(start) => feed.note_opened(start),
            FeedAnswer::Ended(last) => {
                feed.link = Link::Ended;
                let notice = sse::end_notice(&feed.channel, last);
                actions.push(Action::Write(notice.into_bytes()));
                self.end_if_all_channels_have(&mut actions);
            }
            FeedAnswer::Failed(problem) => {
                feed.problem = problem;
                self.wait(number, backoff, now);
            }
        }
        actions
    }

    /// If a feed was broken for too long, tells the client why, and ends the stream.
    pub(super) fn give_up_if_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let given_up = self.feeds.iter().find(|feed| {
            let at = feed.link.gives_up_at();
            at.is_some_and(|at| at <= now)
        });
        if let Some(feed) = given_up {
            let retry = self.jitter.between(ERROR_RETRY_MS);
            let error = sse::error_stream(retry, &feed.problem);
            actions.push(Action::Write(error.into_bytes()));
            self.end(actions);
        }
    }
}
