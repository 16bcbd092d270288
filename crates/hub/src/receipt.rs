//! What the hub reports to publishers.

use serde::Serialize;

use crate::sse::EventId;

/// The result of a publish. It is serialized as the body of the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The id of the last event of the batch, or of the channel if the batch is empty.
    pub id: EventId,
    /// The number of events in the batch.
    pub events: usize,
    /// The number of open streams.
    pub subscribers: usize,
    /// The number of deliveries of older events that were dropped since the last receipt: because the batch took their
    /// place in the log, or because memory was short.
    pub dropped: u64,
}

/// The result of deleting a channel. It is serialized as the body of the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeleteReceipt {
    /// The id of the last event of the channel.
    pub id: EventId,
    /// The number of streams that were open, and were ended.
    pub subscribers: usize,
    /// The number of deliveries that were dropped since the last receipt, including those that the deletion dropped.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Epoch;

    #[test]
    fn a_receipt_is_json_with_the_id_as_text() {
        let receipt = Receipt {
            id: EventId {
                epoch: Epoch::new(17, 0),
                seq: 5,
            },
            events: 2,
            subscribers: 3,
            dropped: 4,
        };
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            r#"{"id":"0000000120000-5","events":2,"subscribers":3,"dropped":4}"#
        );
    }
}
