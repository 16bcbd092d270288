//! What is held of a channel beyond its log, as far as the hub has to know it; and where a stream starts.

use super::Millis;
use crate::sse::{EventId, Missing};

/// Events that were appended, kept for longer than the log keeps them. The hub only reads: whoever feeds it stores
/// events before it appends them.
pub trait History {
    /// The number of the oldest event that is held at `now`, or of the next one where none is. `None` where there is
    /// no history at all: then the log is all there is.
    fn tail(&mut self, now: Millis) -> Result<Option<u64>, HistoryError>;

    /// Some events in a row, event number `from` (which is held) among them. As many as make a chunk, or a few more.
    fn page(&mut self, from: u64) -> Result<Page, HistoryError>;
}

/// Events in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of the first.
    pub first: u64,
    /// The events, as [`crate::sse::write_event`] writes them.
    pub wire: String,
}

/// A history that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct HistoryError(pub String);

/// Where a subscriber wants its stream to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// With the next event.
    Now,
    /// Behind the event that it saw last.
    After(EventId),
    /// It gave an id that nobody can have given it.
    Unknown,
    /// With so many of the newest events, or as many as are held.
    Last(u64),
    /// With the oldest event that is held.
    Oldest,
}

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPosition {
    /// The number of its first event.
    pub next_seq: u64,
    /// The id to resume from, should it end before it gets anything.
    pub resume_id: Option<EventId>,
    /// What it will not get of what it asked for.
    pub gap: Option<Missing>,
}

impl StartPosition {
    /// In a channel that holds the events from `tail` up to, but not including, `head`.
    ///
    /// No event of an earlier epoch was published since `unpublished_since`. A channel of which nothing is stored begins
    /// another epoch whenever its object starts, so a reader may resume with the id `<epoch>-0` of an epoch that never had
    /// an event. It has missed nothing, and starts at the beginning of the current epoch.
    pub fn new(since: &ReplayFrom, tail: u64, head: EventId, unpublished_since: Millis) -> Self {
        let epoch = head.epoch;
        let before = |seq: u64| EventId {
            epoch,
            seq: seq.saturating_sub(1),
        };
        let without_gap = |next_seq| Self {
            next_seq,
            resume_id: Some(before(next_seq)),
            gap: None,
        };
        let begins_before =
            |id: &EventId| id.seq == 0 && (unpublished_since..epoch).contains(&id.epoch);
        match since {
            ReplayFrom::After(id) if begins_before(id) => {
                let beginning = EventId { epoch, seq: 0 };
                Self::new(&ReplayFrom::After(beginning), tail, head, unpublished_since)
            }
            ReplayFrom::Now => without_gap(head.seq),
            ReplayFrom::Last(events) => without_gap(head.seq.saturating_sub(*events).max(tail)),
            ReplayFrom::Oldest => without_gap(tail),
            ReplayFrom::After(id) if id.epoch == epoch && id.seq < head.seq => {
                let wanted = id.seq.saturating_add(1);
                Self {
                    next_seq: wanted.max(tail),
                    resume_id: Some(*id),
                    gap: (wanted < tail)
                        .then(|| Missing::between(epoch, wanted, tail.saturating_sub(1))),
                }
            }
            ReplayFrom::After(_) | ReplayFrom::Unknown => Self {
                next_seq: tail,
                resume_id: None,
                gap: Some(Missing::unknown(before(tail))),
            },
        }
    }
}

/// The history of a channel that has none.
#[cfg(test)]
pub struct NoHistory;

#[cfg(test)]
impl History for NoHistory {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        Ok(None)
    }

    fn page(&mut self, from: u64) -> Result<Page, HistoryError> {
        Err(HistoryError(format!("event {from} was never stored")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> EventId {
        EventId { epoch: 5, seq }
    }

    /// In a channel that holds the events 10 to 19.
    fn start(since: &ReplayFrom) -> (u64, Option<EventId>, Option<Missing>) {
        let start = StartPosition::new(since, 10, id(20), 3);
        (start.next_seq, start.resume_id, start.gap)
    }

    #[test]
    fn streams_start_where_they_ask_to() {
        assert_eq!(start(&ReplayFrom::Now), (20, Some(id(19)), None));
        assert_eq!(start(&ReplayFrom::Oldest), (10, Some(id(9)), None));
        assert_eq!(start(&ReplayFrom::Last(0)), (20, Some(id(19)), None));
        assert_eq!(start(&ReplayFrom::Last(3)), (17, Some(id(16)), None));
        assert_eq!(start(&ReplayFrom::Last(u64::MAX)), (10, Some(id(9)), None));
        assert_eq!(start(&ReplayFrom::After(id(19))), (20, Some(id(19)), None));
        assert_eq!(start(&ReplayFrom::After(id(12))), (13, Some(id(12)), None));
        assert_eq!(start(&ReplayFrom::After(id(9))), (10, Some(id(9)), None));
    }

    #[test]
    fn what_is_not_held_is_a_gap() {
        let missing = Missing::between(5, 9, 9);
        assert_eq!(
            start(&ReplayFrom::After(id(8))),
            (10, Some(id(8)), Some(missing))
        );
        let missing = Missing::between(5, 1, 9);
        assert_eq!(missing.count, Some(9));
        assert_eq!(
            start(&ReplayFrom::After(id(0))),
            (10, Some(id(0)), Some(missing))
        );
    }

    #[test]
    fn the_beginning_of_an_epoch_without_events_is_that_of_the_next() {
        let beginning = start(&ReplayFrom::After(id(0)));
        assert_eq!(beginning.0, 10);
        for epoch in [3, 4] {
            assert_eq!(
                start(&ReplayFrom::After(EventId { epoch, seq: 0 })),
                beginning
            );
        }
        let unknown = start(&ReplayFrom::Unknown);
        for (epoch, seq) in [(2, 0), (3, 1), (6, 0)] {
            assert_eq!(start(&ReplayFrom::After(EventId { epoch, seq })), unknown);
        }
    }

    #[test]
    fn an_id_that_nobody_was_given_is_unknown() {
        let unknown = (10, None, Some(Missing::unknown(id(9))));
        assert_eq!(start(&ReplayFrom::Unknown), unknown);
        assert_eq!(start(&ReplayFrom::After(id(20))), unknown);
        let other_epoch = EventId { epoch: 4, seq: 12 };
        assert_eq!(start(&ReplayFrom::After(other_epoch)), unknown);
    }
}
