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
pub enum Since {
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
pub struct Start {
    /// The number of its first event.
    pub cursor: u64,
    /// The id to resume from, should it end before it gets anything.
    pub at: Option<EventId>,
    /// What it will not get of what it asked for.
    pub gap: Option<Missing>,
}

impl Start {
    /// In a channel that holds the events from `tail` up to, but not including, `head`.
    ///
    /// No event of an earlier epoch was published since `unpublished_since`. A channel of which nothing is stored begins
    /// another epoch whenever its object starts, so a reader may resume with the id `<epoch>-0` of an epoch that never had
    /// an event. It has missed nothing, and starts at the beginning of the current epoch.
    pub fn new(since: &Since, tail: u64, head: EventId, unpublished_since: Millis) -> Self {
        let epoch = head.epoch;
        let before = |seq: u64| EventId {
            epoch,
            seq: seq.saturating_sub(1),
        };
        let without_gap = |cursor| Self {
            cursor,
            at: Some(before(cursor)),
            gap: None,
        };
        let begins_before =
            |id: &EventId| id.seq == 0 && (unpublished_since..epoch).contains(&id.epoch);
        match since {
            Since::After(id) if begins_before(id) => {
                let beginning = EventId { epoch, seq: 0 };
                Self::new(&Since::After(beginning), tail, head, unpublished_since)
            }
            Since::Now => without_gap(head.seq),
            Since::Last(events) => without_gap(head.seq.saturating_sub(*events).max(tail)),
            Since::Oldest => without_gap(tail),
            Since::After(id) if id.epoch == epoch && id.seq < head.seq => {
                let wanted = id.seq.saturating_add(1);
                Self {
                    cursor: wanted.max(tail),
                    at: Some(*id),
                    gap: (wanted < tail)
                        .then(|| Missing::between(epoch, wanted, tail.saturating_sub(1))),
                }
            }
            Since::After(_) | Since::Unknown => Self {
                cursor: tail,
                at: None,
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
    fn start(since: &Since) -> (u64, Option<EventId>, Option<Missing>) {
        let start = Start::new(since, 10, id(20), 3);
        (start.cursor, start.at, start.gap)
    }

    #[test]
    fn streams_start_where_they_ask_to() {
        assert_eq!(start(&Since::Now), (20, Some(id(19)), None));
        assert_eq!(start(&Since::Oldest), (10, Some(id(9)), None));
        assert_eq!(start(&Since::Last(0)), (20, Some(id(19)), None));
        assert_eq!(start(&Since::Last(3)), (17, Some(id(16)), None));
        assert_eq!(start(&Since::Last(u64::MAX)), (10, Some(id(9)), None));
        assert_eq!(start(&Since::After(id(19))), (20, Some(id(19)), None));
        assert_eq!(start(&Since::After(id(12))), (13, Some(id(12)), None));
        assert_eq!(start(&Since::After(id(9))), (10, Some(id(9)), None));
    }

    #[test]
    fn what_is_not_held_is_a_gap() {
        let missing = Missing::between(5, 9, 9);
        assert_eq!(
            start(&Since::After(id(8))),
            (10, Some(id(8)), Some(missing))
        );
        let missing = Missing::between(5, 1, 9);
        assert_eq!(missing.count, Some(9));
        assert_eq!(
            start(&Since::After(id(0))),
            (10, Some(id(0)), Some(missing))
        );
    }

    #[test]
    fn the_beginning_of_an_epoch_without_events_is_that_of_the_next() {
        let beginning = start(&Since::After(id(0)));
        assert_eq!(beginning.0, 10);
        for epoch in [3, 4] {
            assert_eq!(start(&Since::After(EventId { epoch, seq: 0 })), beginning);
        }
        let unknown = start(&Since::Unknown);
        for (epoch, seq) in [(2, 0), (3, 1), (6, 0)] {
            assert_eq!(start(&Since::After(EventId { epoch, seq })), unknown);
        }
    }

    #[test]
    fn an_id_that_nobody_was_given_is_unknown() {
        let unknown = (10, None, Some(Missing::unknown(id(9))));
        assert_eq!(start(&Since::Unknown), unknown);
        assert_eq!(start(&Since::After(id(20))), unknown);
        let other_epoch = EventId { epoch: 4, seq: 12 };
        assert_eq!(start(&Since::After(other_epoch)), unknown);
    }
}
