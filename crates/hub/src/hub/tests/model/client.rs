//! The clients of the model: what they read, and a check that it is what the hub promises.

use std::collections::BTreeMap;

use super::FakeStream;
use crate::sse::{Epoch, EventId};
use crate::{ConnId, Millis, ReplayFrom};

/// The data of every event published, by epoch. The first event of an epoch has the number 1.
pub type Published = BTreeMap<Epoch, Vec<String>>;

/// A client, and the options with which it subscribed.
pub struct Client {
    pub conn: ConnId,
    pub stream: FakeStream,
    /// Whether the client takes its chunk in every loop turn.
    pub keeps_up: bool,
    /// Whether the client asked for catch-up, of a channel that has a history.
    pub catches_up: bool,
    pub from: ReplayFrom,
    pub expires: Option<Millis>,
    /// Whether a Worker holds the stream.
    pub is_feed: bool,
    pub open: bool,
}

/// The result of reading a stream as a client does.
#[derive(Debug, Default)]
pub struct Account {
    /// The last id.
    pub last: Option<EventId>,
    /// The number of dropped events that the `hub.dropped` notices count.
    pub dropped: u64,
    /// The last missing event of each `hub.gap` notice.
    pub gaps: Vec<EventId>,
    /// Whether the client read `hub.end` or `hub.expired`.
    pub ended: bool,
    /// Whether the client read `hub.expired`.
    pub expired: bool,
}

impl Client {
    /// Reads the bytes of a stream as a client would. Checks that ids and notices leave no hole, and that every event
    /// is the one that was published with its id.
    pub fn account(&self, bytes: Vec<u8>, published: &Published) -> Account {
        let bytes = String::from_utf8(bytes).unwrap();
        let mut account = Account::default();
        // Heartbeats come between blocks. The text after the last blank line is empty or an incomplete event.
        let lines = bytes.split_inclusive('\n').filter(|line| *line != ":\n");
        let bytes: String = lines.collect();
        let complete = bytes.rsplit_once("\n\n").map_or("", |(blocks, _)| blocks);
        for block in complete.split("\n\n").filter(|block| !block.is_empty()) {
            assert!(!account.ended, "nothing follows the last notice");
            self.read_block(block, &mut account, published);
        }
        account
    }

    fn read_block(&self, block: &str, account: &mut Account, published: &Published) {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(&format!("{name}: ")))
        };
        let id = field("id").map(|id| id.parse::<EventId>().unwrap());
        let id = id.expect("every block has an id");
        let data = field("data").unwrap();
        match field("event") {
            Some("hub.open") => {
                let after_gap = account.last.is_some();
                assert!(block.starts_with("retry: ") || after_gap);
                assert!(account.last.is_none_or(|last| last == id));
                if let ReplayFrom::After(after) = self.from {
                    assert!(
                        id == after || after_gap,
                        "a stream resumes after the id that its client gave"
                    );
                }
            }
            Some("hub.dropped") => {
                assert!(!self.keeps_up, "a client that keeps up drops nothing");
                assert!(!self.catches_up, "a client that catches up drops nothing");
                account.dropped += check_missing(account.last.unwrap(), id, data);
            }
            Some("hub.gap") if data.contains("\"from\":null") => {
                assert!(block.starts_with("retry: "), "it comes first");
                assert_eq!(account.last, None, "only an unknown id has such a gap");
            }
            Some("hub.gap") => {
                check_missing(account.last.unwrap(), id, data);
                assert!(
                    !(self.keeps_up && self.from == ReplayFrom::Now),
                    "a client that starts now and keeps up has no gap"
                );
                account.gaps.push(id);
            }
            Some("hub.end" | "hub.expired") => {
                let last = account.last.unwrap();
                let was_deleted = id.seq == 0 && id.epoch > last.epoch;
                assert!(id == last || was_deleted);
                account.ended = true;
                account.expired = field("event") == Some("hub.expired");
            }
            _ => {
                assert_eq!(id, next(account.last.unwrap()));
                assert_eq!(data, published[&id.epoch][id.seq as usize - 1]);
            }
        }
        assert!(!data.contains("hub.") || data.contains("\"channel\":\"foo\""));
        account.last = Some(id);
    }
}

fn next(id: EventId) -> EventId {
    EventId {
        seq: id.seq + 1,
        ..id
    }
}

/// Checks that a notice counts exactly the events after `last` up to `id`. Returns their number.
fn check_missing(last: EventId, id: EventId, data: &str) -> u64 {
    let missing: serde_json::Value = serde_json::from_str(data).unwrap();
    let field = |name: &str| missing[name].as_str().unwrap().parse::<EventId>().unwrap();
    assert_eq!(field("from"), next(last));
    assert_eq!(field("to"), id);
    let count = missing["count"].as_u64().unwrap();
    assert_eq!(count, id.seq - last.seq);
    count
}
