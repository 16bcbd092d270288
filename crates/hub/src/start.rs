//! Where a stream starts.

use crate::Millis;
use crate::sse::{EventId, Missing};

/// Where a subscriber wants its stream to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At the next event.
    Now,
    /// After the event that the subscriber saw last.
    After(EventId),
    /// The subscriber gave an id that the hub cannot have given out.
    Unknown,
    /// At this many events before the next one, or at the oldest event held if there are fewer.
    Last(u64),
    /// At the oldest event held.
    Oldest,
}

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPosition {
    /// The sequence number of the first event.
    pub next_seq: u64,
    /// The position after which the stream continues: the id to resume from if the stream breaks before its first
    /// event.
    pub id: EventId,
    /// The events that the subscriber asked for and will not get.
    pub gap: Option<Missing>,
}

impl StartPosition {
    /// Finds the start in a channel that holds the events from `tail` up to `head`, which is the id of the next event.
    ///
    /// No event of an earlier epoch was published since `unpublished_since`. A channel that stores nothing begins a new
    /// epoch each time its object starts. So a subscriber may resume with the id `<epoch>-0` of an epoch that never had
    /// an event. It has missed nothing, and starts at the beginning of the current epoch.
    pub fn new(from: &ReplayFrom, tail: u64, head: EventId, unpublished_since: Millis) -> Self {
        let epoch = head.epoch;
        let without_gap = |next_seq| Self {
            next_seq,
            id: EventId::before(epoch, next_seq),
            gap: None,
        };
        let begins_epoch_without_events =
            |id: &EventId| id.seq == 0 && id.epoch < epoch && id.epoch.began() >= unpublished_since;
        match from {
            ReplayFrom::After(id) if begins_epoch_without_events(id) => {
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
                    id: *id,
                    gap: (wanted < tail)
                        .then(|| Missing::between(epoch, wanted, tail.saturating_sub(1))),
                }
            }
            ReplayFrom::After(_) | ReplayFrom::Unknown => Self {
                next_seq: tail,
                id: EventId::before(epoch, tail),
                gap: Some(Missing::unknown(EventId::before(epoch, tail))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Epoch;

    fn epoch(began: Millis) -> Epoch {
        Epoch::new(began, 9)
    }

    fn id(seq: u64) -> EventId {
        EventId {
            epoch: epoch(5),
            seq,
        }
    }

    /// Starts a stream in a channel that holds the events 10 to 19 of epoch 5, and had no event since epoch 3.
    fn start(from: &ReplayFrom) -> (u64, EventId, Option<Missing>) {
        let start = StartPosition::new(from, 10, id(20), 3);
        (start.next_seq, start.id, start.gap)
    }

    #[test]
    fn a_stream_starts_where_its_subscriber_asked_if_the_events_are_held() {
        assert_eq!(start(&ReplayFrom::Now), (20, id(19), None));
        assert_eq!(start(&ReplayFrom::Oldest), (10, id(9), None));
        assert_eq!(start(&ReplayFrom::Last(0)), (20, id(19), None));
        assert_eq!(start(&ReplayFrom::Last(3)), (17, id(16), None));
        assert_eq!(start(&ReplayFrom::Last(u64::MAX)), (10, id(9), None));
        assert_eq!(start(&ReplayFrom::After(id(19))), (20, id(19), None));
        assert_eq!(start(&ReplayFrom::After(id(12))), (13, id(12), None));
        assert_eq!(start(&ReplayFrom::After(id(9))), (10, id(9), None));
    }

    #[test]
    fn events_that_are_not_held_any_more_are_a_gap() {
        let missing = Missing::between(epoch(5), 9, 9);
        assert_eq!(start(&ReplayFrom::After(id(8))), (10, id(8), Some(missing)));
        let missing = Missing::between(epoch(5), 1, 9);
        assert_eq!(missing.count, Some(9));
        assert_eq!(start(&ReplayFrom::After(id(0))), (10, id(0), Some(missing)));
    }

    #[test]
    fn the_beginning_of_an_epoch_without_events_is_the_beginning_of_the_current_epoch() {
        let beginning = start(&ReplayFrom::After(id(0)));
        assert_eq!(beginning.0, 10);
        for began in [3, 4] {
            assert_eq!(
                start(&ReplayFrom::After(EventId {
                    epoch: epoch(began),
                    seq: 0
                })),
                beginning
            );
        }
        let unknown = start(&ReplayFrom::Unknown);
        for (began, seq) in [(2, 0), (3, 1), (6, 0)] {
            let epoch = epoch(began);
            assert_eq!(start(&ReplayFrom::After(EventId { epoch, seq })), unknown);
        }
    }

    #[test]
    fn an_id_that_the_hub_cannot_have_given_out_is_a_gap_of_unknown_size() {
        let unknown = (10, id(9), Some(Missing::unknown(id(9))));
        assert_eq!(start(&ReplayFrom::Unknown), unknown);
        assert_eq!(start(&ReplayFrom::After(id(20))), unknown);
        let other_epoch = EventId {
            epoch: epoch(4),
            seq: 12,
        };
        assert_eq!(start(&ReplayFrom::After(other_epoch)), unknown);
    }

    #[test]
    fn an_id_of_another_channel_that_began_in_the_same_millisecond_is_unknown() {
        let other = EventId {
            epoch: Epoch::new(5, 10),
            seq: 12,
        };
        let unknown = start(&ReplayFrom::Unknown);
        assert_eq!(start(&ReplayFrom::After(other)), unknown);
    }
}
