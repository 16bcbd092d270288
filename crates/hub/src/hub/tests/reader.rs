//! Clients of the model: what they take, and whether it is what they may rely on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::sse::EventId;
use crate::{ConnId, Millis, ReplayFrom, Stream};

/// The data of every event ever published, by epoch; the first of each is number 1.
pub type Published = BTreeMap<u64, Vec<String>>;

/// A stream as the runtime keeps it: one chunk waits until it is taken.
#[derive(Debug, Default)]
pub struct Pipe {
    pub waiting: Option<Vec<u8>>,
    pub taken: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct FakeStream(pub Rc<RefCell<Pipe>>);

impl FakeStream {
    pub fn take(&self) {
        let mut pipe = self.0.borrow_mut();
        let chunk = pipe.waiting.take().unwrap_or_default();
        pipe.taken.extend(chunk);
    }

    /// Adds to what waits: the stream's last chunk.
    pub fn add(&self, chunk: &[u8]) {
        let mut pipe = self.0.borrow_mut();
        let waiting = pipe.waiting.get_or_insert_default();
        waiting.extend_from_slice(chunk);
    }

    pub fn all(&self) -> Vec<u8> {
        let pipe = self.0.borrow();
        let mut all = pipe.taken.clone();
        all.extend(pipe.waiting.iter().flatten());
        all
    }
}

impl Stream for FakeStream {
    fn is_ready(&self) -> bool {
        self.0.borrow().waiting.is_none()
    }
}

/// One reader, and what it asked for.
pub struct Reader {
    pub conn: ConnId,
    pub stream: FakeStream,
    /// Takes its chunk in every turn of the event loop.
    pub keeps_up: bool,
    /// Asked never to drop, of a channel that has a history.
    pub catches_up: bool,
    pub since: ReplayFrom,
    pub expires: Option<Millis>,
    pub open: bool,
}

/// What a reader knows.
#[derive(Debug, Default)]
pub struct Account {
    /// The last id that it has read.
    pub last: Option<EventId>,
    /// How many events it was told to have dropped.
    pub dropped: u64,
    /// The last events of the gaps that it was told of.
    pub gaps: Vec<EventId>,
    /// It was told that the channel has ended, or its token has expired.
    pub ended: bool,
    /// It was the latter.
    pub expired: bool,
}

impl Reader {
    /// Reads bytes of its stream as a client would: ids and notices have to be contiguous, and every event has to be
    /// the one that was published under its id.
    pub fn account(&self, bytes: Vec<u8>, published: &Published) -> Account {
        let bytes = String::from_utf8(bytes).unwrap();
        let mut account = Account::default();
        // The last piece is an event that is not all there yet, or nothing.
        let whole = bytes.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        for block in whole.split("\n\n").filter(|block| !block.is_empty()) {
            assert!(!account.ended, "nothing comes after the end");
            self.read(block, &mut account, published);
        }
        account
    }

    fn read(&self, block: &str, account: &mut Account, published: &Published) {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(&format!("{name}: ")))
        };
        let id = field("id").map(|id| id.parse::<EventId>().unwrap());
        if block.starts_with("retry: ") {
            account.last = id;
            if let ReplayFrom::After(after) = self.since {
                assert!(id.is_none_or(|id| id == after), "it resumes where it was");
            }
            return;
        }
        let Some(id) = id else {
            assert_eq!(block, ":", "a block without an id is a heartbeat");
            return;
        };
        let data = field("data").unwrap();
        match field("event") {
            Some("hub.dropped") => {
                assert!(!self.keeps_up, "one that keeps up never drops");
                assert!(!self.catches_up, "one that catches up never drops");
                account.dropped += skip(account.last.unwrap(), id, data);
            }
            Some("hub.gap") if data.contains("\"from\":null") => {
                assert_eq!(account.last, None, "only an unknown id is answered so");
            }
            Some("hub.gap") => {
                skip(account.last.unwrap(), id, data);
                assert!(!(self.keeps_up && self.since == ReplayFrom::Now));
                account.gaps.push(id);
            }
            Some("hub.end" | "hub.expired") => {
                assert_eq!(Some(id), account.last);
                account.ended = true;
                account.expired = field("event") == Some("hub.expired");
            }
            _ => {
                assert_eq!(id, next(account.last.unwrap()));
                assert_eq!(data, published[&id.epoch][id.seq as usize - 1]);
            }
        }
        account.last = Some(id);
    }
}

fn next(id: EventId) -> EventId {
    EventId {
        seq: id.seq + 1,
        ..id
    }
}

/// A notice that leads from `last` to `id`. Returns its count.
fn skip(last: EventId, id: EventId, data: &str) -> u64 {
    let notice: serde_json::Value = serde_json::from_str(data).unwrap();
    let place = |name: &str| notice[name].as_str().unwrap().parse::<EventId>().unwrap();
    assert_eq!(place("from"), next(last));
    assert_eq!(place("to"), id);
    let count = notice["count"].as_u64().unwrap();
    assert_eq!(count, id.seq - last.seq);
    count
}
