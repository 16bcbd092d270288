//! What the hub reports to publishers.

use serde::Serialize;

use crate::sse::EventId;

/// The result of a publish. It is serialized as the body of the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The id of the last event of the batch.
    pub id: EventId,
    /// The number of events in the batch.
    pub events: usize,
    /// The number of open streams.
    pub subscribers: usize,
    /// The number of deliveries of older events that were dropped since the last receipt: because the batch took their
    /// place in the log, or because memory was short.
    pub dropped: u64,
}

/// The result of ending a channel. It is serialized as the body of the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndReceipt {
    /// The id of the last event of the channel.
    pub id: EventId,
    /// The number of streams that were open, and were ended.
    pub subscribers: usize,
    /// The number of deliveries that were dropped since the last receipt, those that the end cut off included.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_json_with_the_id_as_text() {
        let receipt = Receipt {
            id: EventId { epoch: 17, seq: 5 },
            events: 2,
            subscribers: 3,
            dropped: 4,
        };
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            r#"{"id":"0000000000017-5","events":2,"subscribers":3,"dropped":4}"#
        );
    }
}
