//! Heartbeats, pings, the end of streams whose client takes nothing, and the end of streams whose token has expired.

use super::feed::Link;
use super::jitter::Jitter;
use super::{Action, HeldFeed, HeldLimits, HeldStream};
use crate::Millis;
use crate::feed::FeedMessage;
use crate::sse;

/// How often a feed that is silent is pinged, in milliseconds. A feed that does not answer until the next ping is lost.
/// Each ping costs CPU time of the client's request, of which the platform gives little.
const PING: Millis = 60_000;

/// The shortest time between two polls of whether the client has taken everything, in milliseconds.
const MIN_POLL: Millis = 2;

/// The longest time between two polls, in milliseconds.
const MAX_POLL: Millis = 250;

/// How long a stream whose token has expired may stay open until the event ends in whose middle it is, in milliseconds.
const EXPIRY_GRACE: Millis = 5_000;

/// The times that a held stream has to watch.
#[derive(Debug)]
pub struct HeldLiveness {
    /// The time between a write and the heartbeat that follows it. It is a little shorter than `HEARTBEAT_SECONDS`, by
    /// a random part, so that the streams of a channel do not all write at the same time.
    heartbeat: Millis,
    /// The time of the last write.
    written_at: Millis,
    /// The time since which events have waited for the client to take them.
    waiting_since: Option<Millis>,
    /// Whether the client has not taken the last heartbeat.
    heartbeat_waits: bool,
    /// The time of the last ping.
    pinged_at: Millis,
    /// The time between two polls of whether the client has taken everything, while a
    /// feed [waits for it](HeldFeed::waits_for_client).
    poll: Millis,
}

impl HeldLiveness {
    /// The stream opens at `now`.
    pub fn new(limits: &HeldLimits, jitter: &mut Jitter, now: Millis) -> Self {
        let early = u32::try_from(limits.heartbeat / 4).unwrap_or(u32::MAX);
        let early = jitter.between((0, early));
        Self {
            heartbeat: limits.heartbeat.saturating_sub(early.into()),
            written_at: now,
            waiting_since: Some(now),
            heartbeat_waits: false,
            pinged_at: now,
            poll: MIN_POLL,
        }
    }

    /// Notes that events were written.
    pub fn note_events(&mut self, now: Millis) {
        self.written_at = now;
        self.waiting_since.get_or_insert(now);
    }

    /// Notes that the client has taken everything.
    pub fn note_taken(&mut self) {
        self.poll = MIN_POLL;
        self.waiting_since = None;
        self.heartbeat_waits = false;
    }

    fn heartbeat_at(&self) -> Millis {
        self.written_at.saturating_add(self.heartbeat)
    }

    fn stalls_at(&self, limits: &HeldLimits) -> Option<Millis> {
        Some(self.waiting_since?.saturating_add(limits.stall?))
    }

    fn ping_at(&self) -> Millis {
        self.pinged_at.saturating_add(PING)
    }
}

impl HeldStream {
    /// Returns the time at which [`tick`](Self::tick) has something to do. `now` is the time of this call.
    pub fn next_tick(&self, now: Millis) -> Millis {
        let waits = self.feeds.iter().any(HeldFeed::waits_for_client);
        let poll = waits.then(|| now.saturating_add(self.liveness.poll));
        let is_finishing = self.feeds.iter().any(|feed| feed.is_finishing);
        let grace = if is_finishing { EXPIRY_GRACE } else { 0 };
        let expires = self.limits.expires.map(|at| at.saturating_add(grace));
        let feeds = self.feeds.iter();
        feeds
            .flat_map(|feed| [feed.asks_at(), feed.link.gives_up_at()])
            .chain([poll, expires, self.liveness.stalls_at(&self.limits)])
            .flatten()
            .chain([self.liveness.heartbeat_at(), self.liveness.ping_at()])
            .min()
            .unwrap_or(Millis::MAX)
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Millis) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.has_ended {
            return actions;
        }
        let poll = self.liveness.poll.saturating_mul(2);
        self.liveness.poll = poll.min(MAX_POLL);
        let is_due = |at: Option<Millis>| at.is_some_and(|at| at <= now);
        if is_due(self.liveness.stalls_at(&self.limits)) {
            self.end(&mut actions);
        } else {
            self.expire_if_due(now, &mut actions);
        }
        if !self.has_ended {
            self.write_heartbeat(now, &mut actions);
        }
        if !self.has_ended {
            self.ping(now, &mut actions);
        }
        if !self.has_ended {
            self.give_up_if_due(now, &mut actions);
        }
        if !self.has_ended {
            self.reopen_if_due(now, &mut actions);
        }
        actions
    }

    /// If the token has expired, ends the stream with a `hub.expired` notice for each channel. If that is in the middle
    /// of an event, asks the object for the rest of it, and ends the stream after it.
    pub(super) fn expire_if_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let Some(expires) = self.limits.expires.filter(|at| *at <= now) else {
            return;
        };
        if self.is_in_block() && now < expires.saturating_add(EXPIRY_GRACE) {
            self.finish_events(actions);
            return;
        }
        if !self.is_in_block() {
            self.write_expired_notices(now, actions);
        }
        self.end(actions);
    }

    fn finish_events(&mut self, actions: &mut Vec<Action>) {
        for (number, feed) in self.feeds.iter_mut().enumerate() {
            if feed.in_event && feed.is_open() && !feed.is_finishing {
                feed.is_finishing = true;
                actions.push(Action::Send(number, FeedMessage::Finish));
            }
        }
    }

    fn write_expired_notices(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for number in 0..self.feeds.len() {
            let feed = self.feeds.get(number);
            // Before its first frame, the client may still lack a notice, so it resumes with the id that it has.
            let notice = feed
                .filter(|feed| feed.link != Link::Ended || feed.is_finishing)
                .and_then(|feed| {
                    let last = feed.position?;
                    Some(sse::expired_notice(&feed.channel, last))
                });
            if let Some(notice) = notice {
                self.write_notice(number, notice, now, actions);
            }
        }
    }

    fn write_heartbeat(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if now < self.liveness.heartbeat_at() {
            return;
        }
        let is_in_block = self.is_in_block();
        let liveness = &mut self.liveness;
        liveness.written_at = now;
        let is_taken = liveness.waiting_since.is_none() && !liveness.heartbeat_waits;
        if is_taken && !is_in_block {
            liveness.heartbeat_waits = true;
            actions.push(Action::Write(sse::HEARTBEAT.to_vec()));
            self.count_message(0, actions);
        }
    }

    /// Pings the feeds. A feed from which nothing has come since the last ping is lost.
    fn ping(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if now < self.liveness.ping_at() {
            return;
        }
        self.liveness.pinged_at = now;
        for number in 0..self.feeds.len() {
            let Some(feed) = self.open_feed(number) else {
                continue;
            };
            if std::mem::take(&mut feed.was_heard) {
                actions.push(Action::Ping(number));
                self.count_message(0, actions);
            } else {
                actions.push(Action::Close(number));
                self.note_broken(number, now, actions);
            }
        }
    }
}
