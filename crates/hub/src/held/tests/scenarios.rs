//! Hand-written sequences of calls, by subject, and their helpers.

mod acknowledgements;
mod ending;
mod expiry;
mod liveness;
mod merging;
mod reopening;

use crate::Millis;
use crate::feed::FrameHeader;
use crate::held::{Action, FeedAnswer, FeedNumber, HeldChannel, HeldLimits, HeldStream};
use crate::sse::{Epoch, EventId, Positions};

const PROBLEM: &str = "{\"status\":503}";

/// Limits that end no stream.
const LIMITS: HeldLimits = HeldLimits {
    heartbeat: 15_000,
    stall: None,
    max_messages: None,
    expires: None,
};

fn id(seq: u64) -> EventId {
    EventId {
        epoch: Epoch::new(5, 0),
        seq,
    }
}

/// A stream of the channel `a`, which opened at the time 0 and continues after event 7.
fn one(limits: HeldLimits) -> HeldStream {
    HeldStream::of_one("a", id(7), PROBLEM.into(), limits, 1, 0).0
}

/// A stream of the channels `a`, `b` and so on, with these answers of their objects at the time 0.
fn several(answers: &[FeedAnswer], limits: HeldLimits) -> (HeldStream, Vec<Action>) {
    let names = ["a", "b", "c"].into_iter().zip(answers);
    let positions = Positions::new(names.clone().map(|(name, _)| name)).unwrap();
    let channels = names.map(|(name, answer)| HeldChannel {
        id: name.into(),
        answer: answer.clone(),
        unavailable: PROBLEM.into(),
    });
    HeldStream::of_several(channels.collect(), positions, limits, 1, 0)
}

/// A stream of `count` channels, which are open and continue after event 7.
fn all_open(count: usize, limits: HeldLimits) -> HeldStream {
    several(&vec![FeedAnswer::Opened(id(7)); count], limits).0
}

/// A frame that ends before event `next_seq`.
fn header(next_seq: u64) -> FrameHeader {
    FrameHeader {
        next_seq,
        ..FrameHeader::default()
    }
}

/// A frame that ends in the middle of the event before `next_seq`.
fn in_event(next_seq: u64) -> FrameHeader {
    FrameHeader {
        in_event: true,
        ..header(next_seq)
    }
}

/// An event without a type.
fn event(seq: u64) -> String {
    format!("data: {seq}\nid: {}\n\n", id(seq))
}

fn frame(
    stream: &mut HeldStream,
    feed: FeedNumber,
    header: FrameHeader,
    text: &str,
    now: Millis,
) -> Vec<Action> {
    stream.note_frame(feed, header, text.len(), || text.as_bytes().to_vec(), now)
}

/// Returns what is written.
fn written(actions: &[Action]) -> String {
    let writes = actions.iter().map(|action| match action {
        Action::Write(bytes) => str::from_utf8(bytes).unwrap(),
        _ => "",
    });
    writes.collect()
}

/// Returns the time of the last `retry:` field that is written.
fn retry(actions: &[Action]) -> Option<u32> {
    let text = written(actions);
    let mut fields = text.lines().rev();
    fields.find_map(|line| line.strip_prefix("retry: ")?.parse().ok())
}

fn ends(actions: &[Action]) -> usize {
    let ends = actions.iter().filter(|action| **action == Action::End);
    ends.count()
}

/// Does what is due until `end`. If `takes` is set, the client always takes everything. Returns all actions.
fn run(stream: &mut HeldStream, from: Millis, end: Millis, takes: bool) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut now = from;
    while !stream.has_ended() {
        now = now.max(stream.next_tick(now));
        if now > end {
            break;
        }
        actions.extend(stream.note_progress(takes, now));
        actions.extend(stream.tick(now));
    }
    actions
}
