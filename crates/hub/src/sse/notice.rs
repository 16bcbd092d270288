//! The events that the hub itself sends to subscribers.

use serde::Serialize;

use super::batch::write_event;
use super::epoch::Epoch;
use super::id::{EventId, with_id, write_id};

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
    pub fn between(epoch: Epoch, from: u64, to: u64) -> Self {
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
    /// Encodes the notice that the events `missing` of `channel` are missing.
    pub fn encode(self, channel: &str, missing: &Missing) -> String {
        #[derive(Serialize)]
        struct Data<'a> {
            channel: &'a str,
            #[serde(flatten)]
            missing: &'a Missing,
        }
        let event_type = match self {
            Self::Dropped => "hub.dropped",
            Self::Gap => "hub.gap",
        };
        notice(event_type, &Data { channel, missing }, missing.to)
    }
}

/// Encodes the first event of a stream, which continues after `position`.
pub fn open_notice(channel: &str, position: EventId) -> String {
    position_notice("hub.open", channel, position)
}

/// Encodes the last event of a stream whose channel has ended. `last` is the last event of the channel.
pub fn end_notice(channel: &str, last: EventId) -> String {
    position_notice("hub.end", channel, last)
}

/// Encodes the last event of a stream whose token has expired. `last` is the last event that the stream was given.
pub fn expired_notice(channel: &str, last: EventId) -> String {
    position_notice("hub.expired", channel, last)
}

fn position_notice(event_type: &str, channel: &str, position: EventId) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        channel: &'a str,
        id: EventId,
    }
    let data = Data {
        channel,
        id: position,
    };
    notice(event_type, &data, position)
}

fn notice(event_type: &str, data: &impl Serialize, id: EventId) -> String {
    let data = serde_json::to_string(data);
    debug_assert!(data.is_ok(), "numbers and strings always serialize");
    let (mut notice, mut id_line) = (String::new(), String::new());
    write_event(&mut notice, event_type, &data.unwrap_or_default());
    write_id(&mut id_line, id);
    with_id(&notice, &id_line).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch::new(17, 0);
    const ID: EventId = EventId {
        epoch: EPOCH,
        seq: 5,
    };

    #[test]
    fn notices_of_missing_events_say_how_many_and_which() {
        assert_eq!(
            Notice::Dropped.encode("foo", &Missing::between(EPOCH, 3, 5)),
            "event: hub.dropped\n\
             data: {\"channel\":\"foo\",\"count\":3,\"from\":\"0000000120000-3\",\"to\":\"0000000120000-5\"}\n\
             id: 0000000120000-5\n\n"
        );
        assert_eq!(
            Notice::Gap.encode("a:b", &Missing::unknown(ID)),
            "event: hub.gap\n\
             data: {\"channel\":\"a:b\",\"count\":null,\"from\":null,\"to\":\"0000000120000-5\"}\n\
             id: 0000000120000-5\n\n"
        );
    }

    #[test]
    fn the_first_and_the_last_event_of_a_stream_hold_its_position() {
        let block = |event_type| {
            format!(
                "event: {event_type}\n\
                 data: {{\"channel\":\"foo\",\"id\":\"0000000120000-5\"}}\n\
                 id: 0000000120000-5\n\n"
            )
        };
        assert_eq!(open_notice("foo", ID), block("hub.open"));
        assert_eq!(end_notice("foo", ID), block("hub.end"));
        assert_eq!(expired_notice("foo", ID), block("hub.expired"));
    }
}
