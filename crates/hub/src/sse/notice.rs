//! The events that the hub itself sends to subscribers.

use serde::Serialize;

use super::id::EventId;

/// A range of events that a subscriber will not get. It is serialized as the data of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The number of missing events, if it is known.
    pub count: Option<u64>,
    /// The first missing event, if it is known.
    pub from: Option<EventId>,
    /// The last missing event. The stream continues with the event after it.
    pub to: EventId,
}

impl Missing {
    /// The events with the sequence numbers `from` to `to` of `epoch`, both included.
    pub fn between(epoch: u64, from: u64, to: u64) -> Self {
        Self {
            count: Some(to.saturating_sub(from).saturating_add(1)),
            from: Some(EventId { epoch, seq: from }),
            to: EventId { epoch, seq: to },
        }
    }

    /// An unknown number of events. The last one is `to`.
    pub fn unknown(to: EventId) -> Self {
        Self {
            count: None,
            from: None,
            to,
        }
    }
}

/// The reason why a subscriber will not get events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `hub.dropped`: the stream did not take the events in time.
    Dropped,
    /// `hub.gap`: the channel does not hold the events any more.
    Gap,
}

impl Notice {
    /// Encodes the notice that the events `missing` are missing.
    pub fn encode(self, missing: &Missing) -> String {
        let event_type = match self {
            Self::Dropped => "hub.dropped",
            Self::Gap => "hub.gap",
        };
        notice(event_type, missing, missing.to)
    }
}

/// Encodes the last event of a stream whose channel has ended. `last` is the last event of the channel.
pub fn end_notice(last: EventId) -> String {
    last_notice("hub.end", last)
}

/// Encodes the last event of a stream whose token has expired. `last` is the last event that the stream was given.
pub fn expired_notice(last: EventId) -> String {
    last_notice("hub.expired", last)
}

fn last_notice(event_type: &str, last: EventId) -> String {
    #[derive(Serialize)]
    struct Last {
        id: EventId,
    }
    notice(event_type, &Last { id: last }, last)
}

fn notice(event_type: &str, data: &impl Serialize, id: EventId) -> String {
    let data = serde_json::to_string(data);
    debug_assert!(data.is_ok(), "numbers and strings always serialize");
    let data = data.unwrap_or_default();
    format!("event: {event_type}\ndata: {data}\nid: {id}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: EventId = EventId { epoch: 17, seq: 5 };

    #[test]
    fn notices_of_missing_events_say_how_many_and_which() {
        assert_eq!(
            Notice::Dropped.encode(&Missing::between(17, 3, 5)),
            "event: hub.dropped\n\
             data: {\"count\":3,\"from\":\"0000000000017-3\",\"to\":\"0000000000017-5\"}\n\
             id: 0000000000017-5\n\n"
        );
        assert_eq!(
            Notice::Gap.encode(&Missing::unknown(ID)),
            "event: hub.gap\n\
             data: {\"count\":null,\"from\":null,\"to\":\"0000000000017-5\"}\n\
             id: 0000000000017-5\n\n"
        );
    }

    #[test]
    fn last_notices_hold_the_id_of_the_last_event() {
        assert_eq!(
            end_notice(ID),
            "event: hub.end\ndata: {\"id\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
        assert_eq!(
            expired_notice(ID),
            "event: hub.expired\ndata: {\"id\":\"0000000000017-5\"}\nid: 0000000000017-5\n\n"
        );
    }
}
